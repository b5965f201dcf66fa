-- What the database holds already, and the view reads.
CREATE TABLE dbo.transactions (
    transaction_id nvarchar(20) NOT NULL PRIMARY KEY, store_id int NOT NULL, category nvarchar(40) NOT NULL, brand nvarchar(60) NOT NULL,
    quantity int NOT NULL, amount decimal(10, 2) NOT NULL, payment_method nvarchar(10) NOT NULL);
CREATE TABLE dbo.sales_interactions (
    interaction_id nvarchar(40) NOT NULL, canonical_tx_id nvarchar(20) NOT NULL, transaction_date datetime2(0) NOT NULL, age_bracket nvarchar(10) NULL, gender nvarchar(10) NULL);
CREATE TABLE dbo.persona_rules (
    role_name nvarchar(30) NOT NULL, priority int NOT NULL, from_hour int NOT NULL, to_hour int NOT NULL, categories nvarchar(200) NULL,
    age_bracket nvarchar(10) NULL, gender nvarchar(10) NULL);
