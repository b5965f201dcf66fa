use crate::catalog;
use crate::contract::ddl::read;
use crate::diagnostics::{Diagnostics, SourceMap};

/// Compares two schema files, and writes what differs.
fn differ(ours: &str, live: &str) -> Vec<String> {
    differ_in("postgres", ours, live)
}

fn differ_in(dialect: &str, ours: &str, live: &str) -> Vec<String> {
    let catalog = catalog::find(dialect).unwrap();
    let contracts = |text: &str| {
        let mut sources = SourceMap::default();
        let file = sources.add("a.sql", text);
        read(&sources, file, catalog.flavor(), &mut Diagnostics::default())
    };
    let (ours, live) = (contracts(ours), contracts(live));
    let pairs: Vec<_> = ours.iter().map(|c| (c, live.iter().find(|l| l.table == c.table))).collect();
    let found = catalog.compare(&pairs);
    let said = |s: &Option<String>| s.clone().unwrap_or_else(|| "-".into());
    let line = |d: &super::Difference| {
        format!("{}.{} {}: {} / {}", d.table, said(&d.column), d.kind, said(&d.contract), said(&d.database))
    };
    found.differences.iter().map(line).chain(found.incomparable).collect()
}

#[test]
fn two_ways_to_write_one_table_do_not_differ() {
    let ours = "CREATE TABLE t (id serial PRIMARY KEY, a varchar(9) DEFAULT 'x' CHECK (a IN ('y', 'x')), n int CHECK (n BETWEEN 1 AND 9),
        e text UNIQUE CHECK (e ~ '^a'), p int REFERENCES t (id) ON DELETE CASCADE, CHECK (my_check(a)), CHECK (a <> e));
        CREATE UNIQUE INDEX u ON t (lower(a)) WHERE n > 3;";
    let live = "CREATE TABLE public.t (n integer, id serial, a character varying(9) DEFAULT 'x'::character varying, e text, p integer,
        CONSTRAINT t_pkey PRIMARY KEY (id), CONSTRAINT k UNIQUE (e), CONSTRAINT c3 CHECK (my_check(a)), CONSTRAINT t_check CHECK (((a)::text <> e)),
        CONSTRAINT c1 CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))),
        CONSTRAINT c2 CHECK (((n >= 1) AND (n <= 9))), CONSTRAINT c4 CHECK ((e ~ '^a'::text)),
        CONSTRAINT f FOREIGN KEY (p) REFERENCES public.t(id) ON DELETE CASCADE);
        CREATE UNIQUE INDEX other ON public.t USING btree (lower((a)::text)) WHERE (n > 3);";
    assert_eq!(
        differ(ours, live),
        ["t.- check: CONSTRAINT t_a_check1 CHECK (my_check(a)) / -", "t.- check: - / CONSTRAINT c3 CHECK (my_check(a))"]
    );
    assert_eq!(differ(ours, &live.replace("c3", "t_a_check1")), [""; 0]);
}

#[test]
fn every_kind_of_difference_is_told() {
    let ours = "CREATE TABLE t (id int PRIMARY KEY, a varchar(9) NOT NULL, b int DEFAULT 1, c text, d int, e int UNIQUE, CHECK (b IN (1, 2)));
        CREATE INDEX i ON t (c); CREATE TABLE gone (a int);";
    let live =
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, a varchar(8), b int DEFAULT 2, c text DEFAULT 'a', x int NOT NULL,
        e int, PRIMARY KEY (id, b), CHECK (b IN (1, 3)), FOREIGN KEY (x) REFERENCES t (id));";
    assert_eq!(
        differ(ours, live),
        [
            "t.id generated: written by the pipeline / counted by the database",
            "t.a type: varchar(9) / varchar(8)",
            "t.a not_null: NOT NULL / may be NULL",
            "t.b not_null: may be NULL / NOT NULL",
            "t.b default: 1 / 2",
            "t.c default: - / 'a'",
            "t.d column: integer / -",
            "t.x column: - / integer",
            "t.- primary_key: (id) / (id, b)",
            "t.- unique: (e) / -",
            "t.- foreign_key: - / (x) references t (id)",
            "t.- check: b: one of 1, 2 / -",
            "t.- check: - / b: one of 1, 3",
            "t.- index: (c) / -",
            "gone.- table: exists / -",
        ]
    );
}

#[test]
fn two_ways_to_write_one_table_of_azure_sql_do_not_differ() {
    let ours = "CREATE TABLE t (id int IDENTITY PRIMARY KEY, a nvarchar(9) NOT NULL DEFAULT N'x', c varchar(max), state nvarchar(20) CHECK (state IN ('old', 'new')),
        grade tinyint CHECK (grade BETWEEN 1 AND 6), at datetime2 DEFAULT sysutcdatetime(), o datetimeoffset, m money, ok bit NOT NULL DEFAULT 1, n decimal,
        p int REFERENCES t (id) ON DELETE CASCADE, total AS (m * 2), CONSTRAINT odd CHECK (len(a) % 2 = 1), UNIQUE (a, state));
        CREATE UNIQUE INDEX u ON t (c) WHERE c IS NOT NULL;";
    let live = "CREATE TABLE [dbo].[t] ([id] int IDENTITY(1, 1) NOT NULL, [a] nvarchar(9) CONSTRAINT [d1] DEFAULT ('x') NOT NULL, [c] varchar(max) NULL, [state] nvarchar(20) NULL,
        [grade] tinyint NULL, [at] datetime2(7) CONSTRAINT [d2] DEFAULT (sysutcdatetime()) NULL, [o] datetimeoffset(7) NULL, [m] money NULL, [ok] bit CONSTRAINT [d3] DEFAULT ((1)) NOT NULL,
        [n] decimal(18, 0) NULL, [p] int NULL, [total] AS ([m]*(2)), CONSTRAINT [pk] PRIMARY KEY ([id]), CONSTRAINT [uq] UNIQUE ([a], [state]),
        CONSTRAINT [ck] CHECK (([state]=N'new' OR [state]=N'old')), CONSTRAINT [ck2] CHECK (([grade]>=(1) AND [grade]<=(6))), CONSTRAINT [odd] CHECK ((len([a])%(2)=(1))),
        CONSTRAINT [fk] FOREIGN KEY ([p]) REFERENCES [dbo].[t] ([id]) ON DELETE CASCADE);
        CREATE UNIQUE INDEX [u2] ON [dbo].[t] ([c]) WHERE ([c] IS NOT NULL);";
    assert_eq!(differ_in("azure_sql", ours, live), [""; 0]);
    let without = live.replace("CONSTRAINT [uq] UNIQUE ([a], [state]),", "");
    assert_eq!(differ_in("azure_sql", ours, &without), ["t.- unique: (a, state) / -"]);
}

#[test]
fn collations_of_azure_sql_differ_where_texts_are_compared() {
    let ours = "CREATE TABLE t (a nvarchar(9) UNIQUE, b nvarchar(9), c nvarchar(9) COLLATE Latin1_General_CI_AS UNIQUE, d int);";
    let live = "CREATE TABLE t (a nvarchar(9) COLLATE Latin1_General_100_CS_AS, b nvarchar(9) COLLATE Latin1_General_BIN2,
        c nvarchar(9) COLLATE Latin1_General_100_CI_AS_SC, d int, UNIQUE (a), UNIQUE (c));";
    assert_eq!(
        differ_in("azure_sql", ours, live),
        [
            "t.a collation: SQL_Latin1_General_CP1_CI_AS / Latin1_General_100_CS_AS",
            "t.b collation: SQL_Latin1_General_CP1_CI_AS / Latin1_General_BIN2",
            "t.c collation: Latin1_General_CI_AS / Latin1_General_100_CI_AS_SC",
        ]
    );
    let contracts = |text: &str| {
        let mut sources = SourceMap::default();
        let file = sources.add("a.sql", text);
        read(&sources, file, crate::contract::ddl::Flavor::Tsql, &mut Diagnostics::default())
    };
    let found = catalog::find("azure_sql").unwrap().compare(&[(&contracts(ours)[0], contracts(live).first())]);
    let harmless: Vec<bool> = found.differences.iter().map(|d| d.harmless).collect();
    assert_eq!(harmless, [false, true, true]);
}

#[test]
fn differences_of_azure_sql_are_told_in_its_words() {
    let ours = "CREATE TABLE t (a nvarchar(9), b varchar(9), c datetime2(3), d varchar(max), e int DEFAULT 1, f datetime, g int REFERENCES t (e));";
    let live =
        "CREATE TABLE [dbo].[t] ([a] varchar(9) NULL, [b] varchar(8) NULL, [c] datetime2(7) NULL, [d] nvarchar(max) NULL, [e] int CONSTRAINT [x] DEFAULT ((2)) NULL,
        [f] datetime2(3) NULL, [g] int NULL, [h] rowversion NOT NULL, CONSTRAINT [fk] FOREIGN KEY ([g]) REFERENCES [other].[t] ([e]));";
    assert_eq!(
        differ_in("azure_sql", ours, live),
        [
            "t.a type: nvarchar(9) / varchar(9)",
            "t.b type: varchar(9) / varchar(8)",
            "t.c type: datetime2(3) / datetime2(7)",
            "t.d type: varchar(max) / nvarchar(max)",
            "t.e default: 1 / ((2))",
            "t.f type: datetime / datetime2(3)",
            "t.h column: - / varbinary",
            "t.- foreign_key: (g) references t (e) / -",
            "t.- foreign_key: - / (g) references other.t (e)",
        ]
    );
}
