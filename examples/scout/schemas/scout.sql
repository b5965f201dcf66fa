CREATE TABLE dbo.flat_export (
    transaction_id nvarchar(20) NOT NULL PRIMARY KEY, store_id int NOT NULL, category nvarchar(40) NOT NULL, brand nvarchar(60) NOT NULL,
    quantity int NOT NULL CHECK (quantity >= 1), amount decimal(10, 2) NOT NULL, payment_method nvarchar(10) NOT NULL CHECK (payment_method IN (N'card', N'wallet', N'cash')),
    transaction_ts datetime2(0) NOT NULL, age_bracket nvarchar(10) NULL, gender nvarchar(10) NOT NULL, role nvarchar(30) NOT NULL, demographics nvarchar(60) NOT NULL);
