//! Schema files as teams and dumps write them, read whole.

use super::*;
use crate::check::{Declared, Measure};
use crate::contract::Generated;
use crate::diagnostics::Diagnostic;
use crate::expr::ExprKind;
use crate::types::DataType;

fn read_text(text: &str, flavor: Flavor) -> (Vec<Contract>, Vec<Diagnostic>) {
    let mut sources = SourceMap::default();
    let file = sources.add("schemas/a.sql", text);
    let mut out = Diagnostics::default();
    let contracts = read(&sources, file, flavor, &mut out);
    (contracts, out.into_sorted())
}

/// Reads a file that must be read without a word.
fn quietly(text: &str, flavor: Flavor) -> Vec<Contract> {
    let (contracts, reported) = read_text(text, flavor);
    assert_eq!(reported, vec![]);
    contracts
}

/// Writes a check as `name: rule(columns) allowed`.
fn line(declared: &Declared) -> String {
    let (check, name) = (&declared.check, declared.name.as_deref().unwrap_or("-"));
    format!("{name}: {}({}) {}", check.rule(), check.columns().join(","), check.allowed())
}

fn lines(contract: &Contract) -> Vec<String> {
    contract.checks.iter().map(line).collect()
}

#[test]
fn personas_and_their_children() {
    let contracts = quietly(
        "CREATE TYPE severity_level AS ENUM ('critical', 'high', 'medium', 'low');
CREATE TABLE personas (
    id uuid PRIMARY KEY, tenant_id uuid NOT NULL, name varchar(120) NOT NULL, slug varchar(140) NOT NULL CONSTRAINT personas_slug_key UNIQUE,
    title varchar(160) NOT NULL, seniority varchar(20) CHECK (seniority IN ('junior', 'mid', 'senior', 'executive')),
    years_of_experience integer CHECK (years_of_experience BETWEEN 0 AND 60), tags text[] NOT NULL DEFAULT '{}', is_public boolean NOT NULL DEFAULT false,
    hired_on date, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE persona_pain_points (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, pain_point text NOT NULL,
    category varchar(40) NOT NULL CONSTRAINT persona_pain_points_category_check CHECK (category IN ('operational', 'strategic')),
    severity severity_level NOT NULL, sequence_order integer NOT NULL, UNIQUE (persona_id, sequence_order));
CREATE TABLE persona_goals (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas ON DELETE CASCADE,
    achievement_rate numeric(3, 2) CHECK (achievement_rate >= 0 AND achievement_rate <= 1));
CREATE TABLE persona_month_in_life (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, month_phase varchar(10) NOT NULL,
    focus text NOT NULL, CONSTRAINT month_phase_unique UNIQUE (persona_id, month_phase));
CREATE TABLE persona_evidence_summary (persona_id uuid PRIMARY KEY REFERENCES personas (id) ON DELETE CASCADE, total_sources integer NOT NULL);",
        Flavor::Postgres,
    );
    assert_eq!(contracts.len(), 5);
    assert_eq!(
        lines(&contracts[0]),
        vec![
            "personas_seniority_check: one_of(seniority) one of junior, mid, senior, executive",
            "personas_years_of_experience_check: range(years_of_experience) from 0 to 60",
            "personas_pkey: unique(id) each value once",
            "personas_slug_key: unique(slug) each value once",
        ]
    );
    assert_eq!(
        lines(&contracts[1]),
        vec![
            "severity_level: one_of(severity) one of critical, high, medium, low",
            "persona_pain_points_category_check: one_of(category) one of operational, strategic",
            "persona_pain_points_pkey: unique(id) each value once",
            "persona_pain_points_persona_id_sequence_order_key: unique(persona_id,sequence_order) each combination of persona_id, sequence_order once",
            "persona_pain_points_persona_id_fkey: references(persona_id) a value of personas.id",
        ]
    );
    // The foreign key names no column: it means the primary key.
    assert_eq!(contracts[2].foreign_keys[0].references, vec!["id"]);
    assert_eq!(
        lines(&contracts[2]),
        vec![
            "persona_goals_achievement_rate_check: range(achievement_rate) from 0 to 1",
            "persona_goals_pkey: unique(id) each value once",
            "persona_goals_persona_id_fkey: references(persona_id) a value of personas.id",
        ]
    );
    assert!(lines(&contracts[3]).contains(
        &"month_phase_unique: unique(persona_id,month_phase) each combination of persona_id, month_phase once".to_string()
    ));
    assert_eq!(contracts[4].primary_key, vec!["persona_id"]);
    let personas = &contracts[0];
    assert_eq!(personas.primary_key, vec!["id"]);
    assert!(personas.column("id").unwrap().not_null);
    assert_eq!(personas.column("name").unwrap().data_type, DataType::Varchar(120));
    assert_eq!(personas.column("tags").unwrap().data_type, DataType::List(Box::new(DataType::Text)));
    assert_eq!(personas.column("tags").unwrap().default.as_deref(), Some("'{}'"));
    assert_eq!(personas.column("created_at").unwrap().default.as_deref(), Some("now()"));
    let severity = contracts[1].column("severity").unwrap();
    assert_eq!((&severity.data_type, severity.type_name.as_deref()), (&DataType::Text, Some("severity_level")));
    assert_eq!(contracts[1].foreign_keys[0].on_delete.as_deref(), Some("cascade"));
}

#[test]
fn a_flat_export_in_tsql() {
    let contracts = quietly(
        "CREATE TABLE dbo.flat_export (
    transaction_id nvarchar(20) NOT NULL PRIMARY KEY, store_id int NOT NULL, quantity int NOT NULL CHECK (quantity >= 1),
    amount decimal(10, 2) NOT NULL, payment_method nvarchar(10) NOT NULL CHECK (payment_method IN (N'card', N'wallet', N'cash')),
    transaction_ts datetime2(0) NOT NULL, age_bracket nvarchar(10) NULL, level tinyint NULL);",
        Flavor::Tsql,
    );
    let table = &contracts[0];
    assert_eq!((table.schema.as_deref(), table.table.as_str()), (Some("dbo"), "flat_export"));
    assert_eq!(
        lines(table),
        vec![
            "-: range(level) from 0 to 255",
            "-: range(quantity) at least 1",
            "-: one_of(payment_method) one of card, wallet, cash",
            "-: unique(transaction_id) each value once",
        ]
    );
    assert_eq!(table.column("transaction_ts").unwrap().data_type, DataType::Timestamp(Some(0)));
    assert!(!table.column("age_bracket").unwrap().not_null);
}

#[test]
fn mapping_tables_with_a_partial_unique_index() {
    let contracts = quietly(
        "CREATE TABLE industries (id uuid PRIMARY KEY, code text NOT NULL UNIQUE);
CREATE TABLE personas (id uuid PRIMARY KEY, unique_id text NOT NULL UNIQUE, profile jsonb);
CREATE TABLE persona_industry_mapping (
    persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, industry_id uuid NOT NULL REFERENCES industries (id), is_primary boolean NOT NULL,
    PRIMARY KEY (persona_id, industry_id));
CREATE UNIQUE INDEX persona_one_primary_industry ON persona_industry_mapping (persona_id) WHERE is_primary;
CREATE UNIQUE INDEX ON personas USING btree (lower(unique_id) text_pattern_ops DESC NULLS LAST);
CREATE INDEX ON personas (profile);
CREATE INDEX by_profile ON personas USING gin ((profile -> 'a'));",
        Flavor::Postgres,
    );
    let mapping = &contracts[2];
    assert_eq!(mapping.primary_key, vec!["persona_id", "industry_id"]);
    let partial = mapping.checks.iter().find(|c| c.name.as_deref() == Some("persona_one_primary_industry")).unwrap();
    let Measure::Unique(key) = partial.check.measure() else { panic!("a key") };
    assert_eq!(key.only_where.map(|e| e.kind), Some(ExprKind::Column("is_primary".into())));
    let lower = contracts[1].checks.iter().find(|c| c.name.as_deref() == Some("personas_lower_idx")).unwrap();
    let Measure::Unique(key) = lower.check.measure() else { panic!("a key") };
    assert!(matches!(&key.parts[0].kind, ExprKind::Call(call) if call.function == "lower"));
    let names: Vec<_> = contracts[1].indexes.iter().map(|i| i.name.as_deref().unwrap()).collect();
    assert_eq!(names, vec!["personas_profile_idx", "by_profile"]);
}

#[test]
fn serial_and_identity_and_computed_columns() {
    let contracts = quietly(
        "CREATE TABLE a (id serial PRIMARY KEY, b bigint GENERATED ALWAYS AS IDENTITY (START WITH 5), c int GENERATED BY DEFAULT AS IDENTITY,
            d int GENERATED ALWAYS AS (b * 2) STORED, e uuid[] NOT NULL DEFAULT ARRAY[]::uuid[], f timestamp(3) with time zone DEFAULT NULL,
            g double precision DEFAULT -1 NOT NULL, h character varying(10) COLLATE \"C\" DEFAULT 'x'::character varying NOT NULL, i bit(3), j citext);",
        Flavor::Postgres,
    );
    let generated: Vec<Generated> = contracts[0].columns.iter().take(5).map(|c| c.generated).collect();
    use Generated::{Always, ByDefault, Computed, No};
    assert_eq!(generated, vec![ByDefault, Always, ByDefault, Computed, No]);
    let defaults: Vec<Option<&str>> = contracts[0].columns.iter().skip(4).map(|c| c.default.as_deref()).collect();
    let expected = [Some("ARRAY[]::uuid[]"), Some("NULL"), Some("-1"), Some("'x'::character varying"), None, None];
    assert_eq!(defaults, expected);
    assert_eq!(contracts[0].column("f").unwrap().data_type, DataType::TimestampTz(Some(3)));
    assert!(contracts[0].column("g").unwrap().not_null && contracts[0].column("h").unwrap().not_null);
    assert_eq!(contracts[0].column("i").unwrap().data_type, DataType::Named("bit(3)".into()));
    assert_eq!(contracts[0].column("j").unwrap().data_type, DataType::Named("citext".into()));
}

#[test]
fn a_dump_reads_like_the_original() {
    let contracts = quietly(
        r#"--
-- PostgreSQL database dump
--
\restrict 0mQ
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE TYPE public.severity_level AS ENUM (
    'critical',
    'low'
);
ALTER TYPE public.severity_level OWNER TO app;
CREATE DOMAIN public.score AS integer
	CONSTRAINT score_check CHECK (((VALUE >= 1) AND (VALUE <= 10)));
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN NEW.a = 'x;'; RETURN NEW; END $_$;
CREATE TABLE public.goals (
    id integer NOT NULL,
    status character varying(20) NOT NULL,
    kind text,
    severity public.severity_level DEFAULT 'low'::public.severity_level NOT NULL,
    quality public.score,
    rate numeric(3,2),
    "Weird Name" text DEFAULT 'a, b'::text,
    starts_on date,
    ends_on date,
    email text,
    CONSTRAINT goals_email_check CHECK (((email IS NULL) OR (email ~* '^[^@]+@[^@]+$'::text))),
    CONSTRAINT goals_kind_check CHECK (((kind = 'a'::text) OR (kind = 'b'::text))),
    CONSTRAINT goals_rate_check CHECK (((rate >= (0)::numeric) AND (rate <= (1)::numeric))),
    CONSTRAINT goals_dates CHECK ((starts_on <= ends_on)),
    CONSTRAINT goals_after CHECK ((starts_on > '2000-01-01'::date)),
    CONSTRAINT goals_name CHECK (((char_length("Weird Name") >= 1) AND (char_length("Weird Name") <= 9))),
    CONSTRAINT goals_email_tidy CHECK ((email = lower(email))),
    CONSTRAINT goals_custom CHECK (public.is_fine(email)),
    CONSTRAINT goals_status_check CHECK (((status)::text = ANY ((ARRAY['open'::character varying, 'it''s'::character varying])::text[])))
);
ALTER TABLE public.goals OWNER TO app;
COMMENT ON TABLE public.goals IS 'it''s; fine';
CREATE SEQUENCE public.goals_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.goals_id_seq OWNED BY public.goals.id;
ALTER TABLE ONLY public.goals ALTER COLUMN id SET DEFAULT nextval('public.goals_id_seq'::regclass);
COPY public.goals (id) FROM stdin;
1
\.
ALTER TABLE ONLY public.goals
    ADD CONSTRAINT goals_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.goals
    ADD CONSTRAINT goals_kind_email_key UNIQUE NULLS NOT DISTINCT (kind, email);
CREATE UNIQUE INDEX goals_email ON public.goals USING btree (lower(email)) WHERE (status = 'open'::text);
CREATE TRIGGER t BEFORE UPDATE ON public.goals FOR EACH ROW EXECUTE FUNCTION public.touch();
ALTER TABLE ONLY public.goals
    ADD CONSTRAINT goals_parent FOREIGN KEY (quality) REFERENCES public.goals(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE public.goals ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON public.goals USING (true);
GRANT SELECT ON TABLE public.goals TO reader;
\unrestrict 0mQ
"#,
        Flavor::Postgres,
    );
    let goals = &contracts[0];
    assert_eq!(
        lines(goals),
        vec![
            "severity_level: one_of(severity) one of critical, low",
            "score_check: range(quality) from 1 to 10",
            "goals_email_check: matches(email) text that matches `^[^@]+@[^@]+$`",
            "goals_kind_check: one_of(kind) one of a, b",
            "goals_rate_check: range(rate) from 0 to 1",
            "goals_dates: check(starts_on,ends_on) rows where (starts_on <= ends_on)",
            "goals_after: range(starts_on) more than 2000-01-01",
            "goals_name: length(Weird Name) 1 to 9 characters",
            "goals_email_tidy: check(email) rows where (email = lower(email))",
            "goals_status_check: one_of(status) one of open, it's",
            "goals_pkey: unique(id) each value once",
            "goals_kind_email_key: unique(kind,email) each combination of kind, email once",
            "goals_email: unique(email) each combination of email once, among the rows of the partial index",
            "goals_parent: references(quality) a value of goals.id",
        ]
    );
    // Small letters beyond ASCII are the locale's, so that condition is judged for ASCII alone.
    let unjudged: Vec<&str> = goals.unjudged.iter().map(|(text, _)| text.as_str()).collect();
    let tidy = "CONSTRAINT goals_email_tidy CHECK ((email = lower(email)))";
    assert_eq!(unjudged, vec![tidy, "CONSTRAINT goals_custom CHECK (public.is_fine(email))"]);
    assert!(goals.foreign_keys[0].deferrable);
    assert_eq!(goals.column("id").unwrap().generated, Generated::ByDefault);
    assert_eq!(goals.column("quality").unwrap().type_name.as_deref(), Some("score"));
    let key = goals.checks.iter().find(|c| c.name.as_deref() == Some("goals_kind_email_key")).unwrap();
    assert!(matches!(key.check.measure(), Measure::Unique(key) if key.nulls_equal));
}

#[test]
fn names_fold_as_the_server_folds_them() {
    let contracts = quietly(
        "CREATE TABLE Sales.Orders (ID int PRIMARY KEY, \"Order\" int CHECK (\"Order\" > 0), Kind text CHECK (KIND IN ('a')));",
        Flavor::Postgres,
    );
    assert_eq!((contracts[0].schema.as_deref(), contracts[0].table.as_str()), (Some("sales"), "orders"));
    let names: Vec<&str> = contracts[0].columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, vec!["id", "Order", "kind"]);
    assert_eq!(lines(&contracts[0])[0], "orders_Order_check: range(Order) more than 0");
}

#[test]
fn unnamed_constraints_get_the_names_of_the_server() {
    let contracts = quietly(
        "CREATE TABLE t (a int CHECK (a > 0) CHECK (a < 9), b int, c int UNIQUE, CHECK (a < b), CHECK (b > 1 AND b < 7), UNIQUE (a, b),
            CHECK (a + b < 100), FOREIGN KEY (a, b) REFERENCES u, id int PRIMARY KEY UNIQUE);
         ALTER TABLE t ADD CHECK (c > 0), ADD COLUMN d int CHECK (d > 0) REFERENCES u (x), ADD UNIQUE (b);
         CREATE UNIQUE INDEX ON t (c); CREATE UNIQUE INDEX ON t (c, abs(a), (a + b), (b - a));",
        Flavor::Postgres,
    );
    let mut names: Vec<&str> = contracts[0].checks.iter().map(|c| c.name.as_deref().unwrap()).collect();
    // An index that computes has checks that it can be computed.
    names.dedup();
    assert_eq!(
        names.join(" "),
        "t_a_check t_a_check1 t_check t_b_check t_check1 t_pkey t_c_key t_a_b_key t_a_b_fkey t_c_check t_d_check t_d_fkey t_b_key t_c_idx \
         t_c_abs_expr_expr1_idx"
    );
}

#[test]
fn a_statement_that_cannot_be_read_loses_nothing_else() {
    let (contracts, reported) = read_text(
        "CREATE TABLE a (id int PRIMARY KEY, b int ???, c text, EXCLUDE USING gist (c WITH =), CHECK (c > 'm'));
         CRAETE TABLE b (id int);
         CREATE TABLE c (id int
         ;
         ALTER TABLE aa ADD CHECK (id > 0);
         ALTER TABLE a ADD UNIQUE (d);
         CREATE TABLE a (x int);
         CREATE TABLE d (id int, id text);",
        Flavor::Postgres,
    );
    let said: Vec<String> = reported.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
    assert_eq!(
        said,
        vec![
            "W0501 a part of this table cannot be read: expected a constraint, a default or the end of the column",
            "W0501 this statement cannot be read: expected a SQL statement",
            "W0501 this statement cannot be read: expected a `)` for this `(`",
            "W0502 the statement is about table `aa`, which no statement before it creates",
            "E0505 table `a` has no column `d`",
            "W0503 table `a` is created twice",
            "E0506 table `d` has column `id` twice",
        ]
    );
    let tables: Vec<&str> = contracts.iter().map(|c| c.table.as_str()).collect();
    assert_eq!(tables, vec!["a", "d"]);
    assert_eq!(contracts[0].columns.len(), 2);
    let unjudged: Vec<&str> = contracts[0].unjudged.iter().map(|(text, _)| text.as_str()).collect();
    // Text sorts by the server's collation, which is not known here.
    assert_eq!(unjudged, vec!["CONSTRAINT a_c_check CHECK (c > 'm')", "EXCLUDE USING gist (c WITH =)"]);
}

#[test]
fn places_are_those_of_the_file() {
    let text = "CREATE TABLE żółw (\n  id int,\n  ćma text CHECK (ćma IN ('a'))\n);";
    let mut sources = SourceMap::default();
    let file = sources.add("schemas/a.sql", text);
    let mut out = Diagnostics::default();
    let contracts = read(&sources, file, Flavor::Postgres, &mut out);
    assert_eq!(sources.snippet(contracts[0].span), "CREATE TABLE żółw");
    assert_eq!(sources.snippet(contracts[0].columns[1].span), "ćma");
    assert_eq!(sources.line_column(contracts[0].columns[1].span), (3, 3));
    assert_eq!(sources.snippet(contracts[0].checks[0].span), "ćma IN ('a')");
}

#[test]
fn server_scripts_read_with_brackets_and_go() {
    let contracts = quietly(
        "SET ANSI_NULLS ON\nGO\nIF NOT EXISTS (SELECT * FROM sys.tables WHERE name = 'Orders')\nBEGIN\nCREATE TABLE [dbo].[Orders](
	[Id] [int] IDENTITY(1,1) NOT NULL,
	[Name] [nvarchar](50) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL,
	[Notes] [nvarchar](max) NULL,
	[Price] [decimal](18, 2) NOT NULL CONSTRAINT [DF_Price] DEFAULT ((0)),
	[Total] AS ([Price]*(2)) PERSISTED,
	[IsActive] [bit] NOT NULL,
	[Version] [timestamp] NOT NULL,
	[CustomerId] [int] NOT NULL,
 CONSTRAINT [PK_Orders] PRIMARY KEY CLUSTERED 
(
	[Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF) ON [PRIMARY],
 CONSTRAINT [UQ_Orders] UNIQUE NONCLUSTERED ([Name] ASC, [customerid] DESC)
) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
END
GO
CREATE TABLE a (x int)
CREATE TABLE b (y int NOT NULL)
GO
ALTER TABLE [dbo].[Orders] ADD  CONSTRAINT [DF_Active]  DEFAULT ((1)) FOR [IsActive]
GO
ALTER TABLE [dbo].[Orders]  WITH CHECK ADD  CONSTRAINT [FK_Orders_Customers] FOREIGN KEY([CustomerId])
REFERENCES [dbo].[Customers] ([Id])
ON DELETE CASCADE
GO
ALTER TABLE [dbo].[Orders] CHECK CONSTRAINT [FK_Orders_Customers]
GO
ALTER TABLE [dbo].[Orders]  WITH NOCHECK ADD  CONSTRAINT [CK_Name] CHECK  ((len([Name])>=(2) AND [Price]>(0) OR [Price] IS NULL))
ALTER TABLE Orders ADD CONSTRAINT CK_Length CHECK (LEN([name]) <= 40), Code nchar(3) NULL
CREATE UNIQUE NONCLUSTERED INDEX [IX] ON [dbo].[Orders]([Price] ASC) INCLUDE ([Name]) WHERE ([IsActive]=(1)) WITH (ONLINE = OFF) ON [PRIMARY]
GO
CREATE OR ALTER PROCEDURE p AS BEGIN CREATE TABLE hidden (z int); SELECT 1; END
GO
",
        Flavor::Tsql,
    );
    let tables: Vec<&str> = contracts.iter().map(|c| c.table.as_str()).collect();
    assert_eq!(tables, vec!["Orders", "a", "b"]);
    let orders = &contracts[0];
    assert_eq!(
        lines(orders),
        vec![
            "PK_Orders: unique(Id) each value once",
            "UQ_Orders: unique(Name,CustomerId) each combination of Name, CustomerId once",
            "FK_Orders_Customers: references(CustomerId) a value of Customers.Id",
            "CK_Name: check(Name,Price) rows where (len([Name])>=(2) AND [Price]>(0) OR [Price] IS NULL)",
            "CK_Length: length(Name) at most 40 characters",
            "IX: unique(Price) each value once, among the rows of the partial index",
        ]
    );
    use Generated::{Always, Computed, No};
    let generated: Vec<Generated> = orders.columns.iter().map(|c| c.generated).collect();
    assert_eq!(generated, vec![Always, No, No, No, Computed, No, Computed, No, No]);
    assert_eq!(orders.column("Notes").unwrap().data_type, DataType::Text);
    assert_eq!(orders.column("Price").unwrap().default.as_deref(), Some("((0))"));
    assert_eq!(orders.column("IsActive").unwrap().default.as_deref(), Some("((1))"));
    assert_eq!(orders.column("Code").unwrap().data_type, DataType::Char(3));
    let name = orders.checks.iter().find(|c| c.name.as_deref() == Some("UQ_Orders")).unwrap();
    assert!(matches!(name.check.measure(), Measure::Unique(key) if key.nulls_equal));
}
