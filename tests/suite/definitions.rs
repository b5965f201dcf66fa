//! `pipe schema ddl` for Azure SQL: what it prints, read back as the schema file that it is, is the same contract.

use pipe::catalog;
use pipe::contract::{Contract, ddl, yaml};
use pipe::diagnostics::{Diagnostics, SourceMap};
use pipe::emit;
use pipe::emit::definition::Extras;
use pipe::spec;

use crate::support::{Folder, root};

const TABLES: &str = "
CREATE TYPE dbo.Phone FROM nvarchar(20) NOT NULL
GO
CREATE TABLE [sales].[Orders](
	[Id] [int] IDENTITY(100,5) NOT NULL,
	[Name] [nvarchar](50) COLLATE Latin1_General_CS_AS NOT NULL,
	[Notes] [nvarchar](max) NULL, Phone dbo.Phone, tiny tinyint, cash money, page varchar(20) SPARSE NULL, moment datetimeoffset(3),
	[Price] [decimal](18, 2) NOT NULL CONSTRAINT [DF_Price] DEFAULT ((0)),
	[Total] AS ([Price]*(2)) PERSISTED NOT NULL,
	[IsActive] [bit] NOT NULL,
	[Version] [timestamp] NOT NULL,
	[CustomerId] [int] NOT NULL INDEX ix_customer, [Order [x]]]]] int DEFAULT 7 WITH VALUES,
 CONSTRAINT [PK_Orders] PRIMARY KEY NONCLUSTERED ([Id] DESC)WITH (PAD_INDEX = OFF) ON [PRIMARY],
 CONSTRAINT [UQ_Orders] UNIQUE CLUSTERED ([Name] ASC, [customerid] DESC), CHECK (Price >= 0), CHECK (Price < 100), UNIQUE (Notes2),
 INDEX ix_in UNIQUE (Price, IsActive) INCLUDE (Notes) WHERE IsActive = 1, Notes2 nvarchar(10),
 CONSTRAINT ck_name CHECK (len([Name])>=(2) AND [Name] <> N'none'), CONSTRAINT ck_own CHECK (dbo.fine([Name]) = 1)
) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
GO
CREATE TABLE Customers (Id int PRIMARY KEY, Code char(3) UNIQUE, Parent int REFERENCES Customers (Id), Kind nvarchar(9) CHECK (Kind IN ('a', 'b''c')),
    valid_from datetime2 GENERATED ALWAYS AS ROW START NOT NULL, valid_to datetime2 GENERATED ALWAYS AS ROW END NOT NULL, PERIOD FOR SYSTEM_TIME (valid_from, valid_to))
GO
ALTER TABLE [sales].[Orders] ADD  CONSTRAINT [DF_Active]  DEFAULT ((1)) FOR [IsActive]
ALTER TABLE sales.Orders ALTER COLUMN Notes2 nvarchar(20) COLLATE Latin1_General_BIN2 NOT NULL
ALTER TABLE sales.Orders ALTER COLUMN Id bigint NOT NULL
GO
ALTER TABLE [sales].[Orders]  WITH CHECK ADD  CONSTRAINT [FK_Orders_Customers] FOREIGN KEY([CustomerId])
REFERENCES [dbo].[Customers] ([Id]) ON DELETE CASCADE ON UPDATE SET NULL
GO
CREATE UNIQUE NONCLUSTERED INDEX [IX] ON [sales].[Orders]([Price] ASC) INCLUDE ([Name]) WHERE ([IsActive]=(1)) WITH (ONLINE = OFF) ON [PRIMARY]
CREATE INDEX IX2 ON sales.Orders (Name DESC, Price)
GO
";

const GOALS: &str = "\
table: goals
columns:
  id: {type: uuid, primary_key: true}
  order_id: {type: integer, not_null: true, references: {table: orders, column: id, on_delete: cascade}}
  goal_type: {type: varchar(10), one_of: [primary, \"it's\"], collation: Latin1_General_BIN2}
  rate: {type: \"decimal(3,2)\", range: [0, 1]}
  flag: {type: boolean, not_null: true}
  slug: {type: varchar(140), unique: true, length: [2, 140], default: \"'x'\"}
  n: {type: bigint, generated: always, not_null: true}
  code: {type: varchar(3), type_name: varchar, one_of: [a, b]}
  born: {type: date, range: [\"1900-01-01\", null]}
  at_time: {type: timestamptz(3), default: sysdatetimeoffset()}
unique: [[order_id, rate]]
indexes: [[order_id], {name: by_type, columns: [goal_type]}]
checks: [{expr: rate > 0.5 or order_id <> 7, name: positive}]
";

fn read(text: &str) -> Vec<Contract> {
    let mut sources = SourceMap::default();
    let file = sources.add("schemas/a.sql", text);
    let mut out = Diagnostics::default();
    let contracts = ddl::read(&sources, file, ddl::Flavor::Tsql, &mut out);
    assert_eq!(out.into_sorted(), vec![], "{text}");
    contracts
}

fn made(contracts: &[Contract]) -> String {
    let contracts: Vec<&Contract> = contracts.iter().collect();
    let made = emit::find("azure_sql").unwrap().definitions(&contracts, "dbo", Extras::default());
    assert_eq!(made.refused, Vec::<String>::new());
    made.script
}

/// All that a contract says, line by line; what the server would name by chance has no name.
fn said(contract: &Contract, names: &[String]) -> Vec<String> {
    let schema = |s: &Option<String>| s.clone().unwrap_or("dbo".to_string());
    let name = |n: &Option<String>| n.clone().filter(|n| names.contains(n)).unwrap_or("-".to_string());
    let mut lines = vec![format!("{}.{} {:?}", schema(&contract.schema), contract.table, contract.primary_key)];
    for c in &contract.columns {
        let of = (&c.data_type, &c.type_name, c.not_null, &c.default, c.generated, &c.collation);
        lines.push(format!("column {} {of:?}", c.name));
    }
    let mut others: Vec<String> = vec![];
    for c in &contract.checks {
        others.push(format!("{} {} {:?} {}", name(&c.name), c.check.rule(), c.check.columns(), c.check.allowed()));
    }
    for k in &contract.foreign_keys {
        let to = (schema(&k.schema), &k.table, &k.references, &k.on_delete, &k.on_update);
        others.push(format!("foreign key {} {:?} {to:?}", name(&k.name), k.columns));
    }
    others.extend(contract.indexes.iter().map(|i| format!("index {i:?}")));
    for (text, _) in &contract.unjudged {
        others.push(format!("not judged: {text}"));
    }
    others.sort();
    lines.extend(others);
    lines
}

/// The statements of a script without what they look for first: a name that was chosen is looked for, and not what is behind it.
fn statements(script: &str) -> Vec<&str> {
    let plain = |line: &&str| {
        line.starts_with("    ") || line.starts_with("CREATE ") || line.starts_with("ALTER TABLE") || line.starts_with("--")
    };
    script.lines().filter(plain).collect()
}

fn names(contracts: &[Contract]) -> Vec<String> {
    let of = |c: &Contract| c.checks.iter().filter_map(|d| d.name.clone()).collect::<Vec<_>>();
    contracts.iter().flat_map(of).collect()
}

#[test]
fn tables_in_t_sql_read_back_as_they_were() {
    let mut texts = vec![TABLES.to_string()];
    for file in [
        "examples/scout/schemas/scout.sql",
        "examples/scout/schemas/sources.sql",
        "tests/cases/azure_sql_modes/schemas/tables.sql",
    ] {
        texts.push(std::fs::read_to_string(root().join(file)).unwrap());
    }
    for text in texts {
        let before = read(&text);
        let names = names(&before);
        let script = made(&before);
        let after = read(&script);
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(said(before, &names), said(after, &names), "{script}");
        }
        // The words as well, such as orders and fill factors.
        assert_eq!(statements(&made(&after)), statements(&script));
    }
}

#[test]
fn what_only_words_say_is_kept() {
    let script = made(&read(TABLES));
    for words in [
        "IF TYPE_ID(N'dbo.Phone') IS NULL\nCREATE TYPE dbo.Phone FROM nvarchar(20) NOT NULL;",
        "[Id] bigint IDENTITY(100,5) NOT NULL",
        "[page] varchar(20) SPARSE NULL",
        "\n    [Order [x]]]]] int DEFAULT 7 NULL,",
        "ALTER TABLE [sales].[Orders] ADD [Order [x]]]]] int DEFAULT 7 WITH VALUES NULL;",
        "[Total] AS ([Price]*(2)) PERSISTED NOT NULL,",
        "[IsActive] [bit] CONSTRAINT [DF_Active]  DEFAULT ((1)) NOT NULL",
        "PERIOD FOR SYSTEM_TIME (valid_from, valid_to)\n",
        "PRIMARY KEY NONCLUSTERED ([Id] DESC) WITH (PAD_INDEX = OFF)",
        "UNIQUE CLUSTERED ([Name] ASC, [customerid] DESC)",
        "CREATE UNIQUE INDEX [ix_in] ON [sales].[Orders] (Price, IsActive) INCLUDE (Notes) WHERE IsActive = 1;",
        "CREATE UNIQUE NONCLUSTERED INDEX [IX] ON [sales].[Orders] ([Price] ASC) INCLUDE ([Name]) WHERE ([IsActive]=(1)) WITH (ONLINE = OFF)",
        "CREATE INDEX [IX2] ON [sales].[Orders] (Name DESC, Price);",
        "REFERENCES [dbo].[Customers] ([Id]) ON DELETE CASCADE ON UPDATE SET NULL;",
    ] {
        assert!(script.contains(words), "{words}\n{script}");
    }
}

#[test]
fn a_table_in_yaml_reads_back_as_it_was() {
    let mut sources = SourceMap::default();
    let file = sources.add("schemas/goals.yaml", GOALS);
    let mut out = Diagnostics::default();
    let node = spec::yaml::parse(&sources, file, &mut out).unwrap();
    let before = yaml::decode(&node, &mut out).unwrap();
    assert_eq!(out.into_sorted(), vec![]);
    let script = made(std::slice::from_ref(&before));
    let after = read(&script);
    let compared = catalog::find("azure_sql").unwrap().compare(&[(&before, after.first())]);
    assert_eq!((compared.differences, compared.incomparable), (vec![], vec![]), "{script}");
    let lengths =
        |c: &Contract| c.checks.iter().filter(|c| c.check.rule() == "length").map(|c| c.check.allowed()).collect::<Vec<_>>();
    assert_eq!(lengths(&after[0]), lengths(&before));
    assert_eq!(after[0].column("goal_type").unwrap().collation.as_deref(), Some("Latin1_General_BIN2"));
    assert_eq!(statements(&made(&after)), statements(&script));
}

#[test]
fn what_the_target_lacks_is_told_at_once() {
    let goals = "table: goals\ncolumns: {id: {type: text, primary_key: true}, tags: \"text[]\", n: decimal, sum: {type: integer, generated: computed}}\n";
    let folder = Folder::with(&[("pipe.yaml", "targets: {main: {dialect: azure_sql}}\n"), ("schemas/goals.yaml", goals)]);
    let ran = folder.pipe(&["schema", "ddl"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    for told in [
        "X0609",
        "column `id` of `goals` is in a key",
        "`tags` of `goals` is text[]",
        "`n` of `goals` is a decimal",
        "`sum` of `goals` is computed",
    ] {
        assert!(ran.err.contains(told), "{told}: {}", ran.err);
    }
    assert_eq!(ran.out, "");
}

#[test]
fn triggers_and_privileges_come_on_request() {
    let goals = "table: goals\ncolumns: {id: {type: integer, primary_key: true}, updated_at: timestamp}\ngrants: {select: [reader], truncate: [reader]}\n";
    let bare = "table: bare\ncolumns: {updated_at: timestamptz}\n";
    let folder = Folder::with(&[
        ("pipe.yaml", "targets: {main: {dialect: azure_sql, schema: crm}}\n"),
        ("schemas/goals.yaml", goals),
        ("schemas/bare.yaml", bare),
    ]);
    let plain = folder.pipe(&["schema", "ddl"]).out;
    assert!(plain.contains("EXEC(N'CREATE SCHEMA [crm]')") && !plain.contains("TRIGGER") && !plain.contains("GRANT"), "{plain}");
    let all = folder.pipe(&["schema", "ddl", "--updated-at", "--grants"]).out;
    for words in [
        "EXEC(N'CREATE OR ALTER TRIGGER [crm].[goals_updated_at] ON [crm].[goals] AFTER UPDATE AS",
        "SET [updated_at] = SYSUTCDATETIME() FROM [crm].[goals] AS t INNER JOIN inserted AS i ON t.[id] = i.[id]",
        "-- not made, since bare has no primary key",
        "GRANT SELECT ON [crm].[goals] TO [reader];",
        "-- not granted, since T-SQL has no such privilege: truncate",
    ] {
        assert!(all.contains(words), "{words}\n{all}");
    }
}
