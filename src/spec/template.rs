//! The templates inside an author's strings: `{{ vars.x }}`, `{{ env.X }}`, and macros from `transforms/*.j2`.
//!
//! In: a string with its place. Out: SQL text in which every printed value is a quoted literal ([`Templates::expression`]), or plain text
//! for paths and URLs ([`Templates::bare`]). An undefined name is an error; a template that never ends, or grows without bound, is stopped.
//! `template_value` says how values are printed, `template_macros` how macros are found and called. The only users of the template crate.
//! Does not know about YAML, and not what an expression means.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::template_macros::{self, Macro};
use super::template_value::{self, Known};
use crate::diagnostics::{Diagnostics, FileId, Span, Spanned};

/// Instructions for one string, macros included.
pub(super) const FUEL: u64 = 100_000;
/// Bytes that one string may become.
pub(super) const MAX_OUTPUT: usize = 1 << 20;
/// The engine's measure of nesting; about 20 calls deep, so that text doubled at each call stays small as well.
const MAX_RECURSION: usize = 120;
/// Filters that allocate as much as their argument says.
const UNBOUNDED_FILTERS: &[&str] = &["indent", "format", "batch", "slice", "pprint", "tojson", "escape", "e"];
/// The names of templates, by which the engine decides how to print.
const EXPRESSION: &str = "expression";
const BARE: &str = "bare";

/// Looks up an environment variable.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The names that templates may use.
#[derive(Clone)]
pub struct Names {
    /// Variables, merged from the command line, the pipeline and the project.
    pub vars: BTreeMap<String, serde_json::Value>,
    pub env: Lookup,
    /// Undefined while no pipeline is read.
    pub pipeline: Option<String>,
    /// The name of the target; undefined while none is chosen.
    pub target: Option<String>,
}

impl Default for Names {
    /// Has no variables, and reads the environment of the process.
    fn default() -> Self {
        Names { vars: BTreeMap::new(), env: Arc::new(|name| std::env::var(name).ok()), pipeline: None, target: None }
    }
}

/// What a string became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// No template was in it, so that offsets in `text` are offsets in what the author wrote.
    pub exact: bool,
}

/// Renders the strings of one pipeline.
pub struct Templates {
    env: Environment<'static>,
    pub(super) known: Arc<Known>,
    pub(super) macros: BTreeMap<String, Macro>,
    /// One string at a time, since the limits are counted per string.
    turn: Mutex<()>,
}

impl Templates {
    pub fn new(names: Names) -> Self {
        let known = Arc::new(Known::new(&names));
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_debug(true);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(MAX_RECURSION);
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            env.set_syntax(syntax);
        }
        // Without it no loop can carry a text on to its next round, and make it grow.
        env.remove_global("namespace");
        env.remove_global("debug");
        UNBOUNDED_FILTERS.iter().for_each(|filter| env.remove_filter(filter));
        env.add_filter("replace", template_value::replace);
        env.add_function("sql", |text: String| Value::from_safe_string(text));
        env.set_auto_escape_callback(|name| if name == BARE { AutoEscape::None } else { AutoEscape::Custom("sql".into()) });
        let printed = known.clone();
        env.set_formatter(move |out, state, value| printed.print(out, state, value));
        env.add_global("vars", known.vars.clone());
        env.add_global("env", Value::from_object(EnvironmentValues(known.clone())));
        for (name, value) in [("pipeline", names.pipeline), ("target", names.target)] {
            if let Some(value) = value {
                env.add_global(name, value);
            }
        }
        Templates { env, known, macros: BTreeMap::new(), turn: Mutex::new(()) }
    }

    /// Loads the macros of the file at `path`, whose content is `text`; reports syntax errors and names that are taken.
    pub fn add_macros(&mut self, path: &Path, file: FileId, text: &str, out: &mut Diagnostics) {
        if let Err(error) = self.env.template_from_named_str(EXPRESSION, text) {
            let whole = Span { file, start: 0, end: text.len() as u32 };
            self.report(&error, whole, true, out);
            return;
        }
        let found = template_macros::find(text);
        for (index, definition) in found.iter().enumerate() {
            let span =
                Span { file, start: definition.name_start as u32, end: (definition.name_start + definition.name.len()) as u32 };
            if let Some(first) = self.macros.get(&definition.name) {
                out.error("E0307", span, format!("macro `{}` is defined twice", definition.name)).label(first.span, "first here");
                continue;
            }
            if self.env.globals().any(|(name, _)| name == definition.name) || matches!(&*definition.name, "pipeline" | "target") {
                out.error(
                    "E0307",
                    span,
                    format!("macro `{}` has the name of something that templates know already", definition.name),
                )
                .help("Give the macro another name.");
                continue;
            }
            let source = template_macros::without_others(text, &found, index);
            if let Err(error) = self.env.add_template_owned(template_macros::template_name(&definition.name), source) {
                self.report(&error, span, false, out);
                continue;
            }
            let (name, known) = (definition.name.clone(), self.known.clone());
            self.env.add_function(
                definition.name.clone(),
                move |state: &mut minijinja::State, args: template_macros::Arguments| {
                    template_macros::call(state.env(), &known, &name, args)
                },
            );
            self.macros.insert(definition.name.clone(), Macro { span, path: path.to_owned() });
        }
        self.known.add_source(text);
    }

    /// Renders a SQL expression: each printed value becomes a literal, macros and `sql("...")` are printed as they are.
    pub fn expression(&self, text: &Spanned<String>, out: &mut Diagnostics) -> Option<Rendered> {
        if !has_template(&text.value) {
            return Some(Rendered { text: text.value.clone(), exact: true });
        }
        if let Some((offset, length)) = template_value::find_quoted_template(&text.value) {
            let span = if is_exact(text) { text.span.slice(offset, length) } else { text.span };
            out.error("E0306", span, "a template inside SQL quotes would be quoted twice").help(
                "A printed text brings its own quotes: remove those around it, and join pieces inside the template, as in \
                 {{ \"prefix \" ~ vars.x }}.",
            );
            return None;
        }
        let text = self.render(EXPRESSION, text, out)?;
        Some(Rendered { text, exact: false })
    }

    /// Renders a path, a URL or another text that is not SQL: values are printed without quotes.
    pub fn bare(&self, text: &Spanned<String>, out: &mut Diagnostics) -> Option<String> {
        if has_template(&text.value) { self.render(BARE, text, out) } else { Some(text.value.clone()) }
    }

    /// Calls a macro with the text of an expression, and returns the expression that it makes.
    pub fn apply(&self, macro_name: &Spanned<String>, argument: &str, out: &mut Diagnostics) -> Option<String> {
        if !self.macros.contains_key(&macro_name.value) {
            let found = out.error("E0302", macro_name.span, format!("no macro is named `{}`", macro_name.value));
            found.suggest(&macro_name.value, self.macros.keys().map(String::as_str));
            self.help_macros(found);
            return None;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.known.start();
        let argument = Value::from_safe_string(template_value::as_operand(argument));
        let result = template_macros::call_with(&self.env, &self.known, &macro_name.value, &[argument]);
        match result {
            Ok(value) => Some(value.to_string()),
            Err(error) => {
                self.report(&error, macro_name.span, false, out);
                None
            }
        }
    }

    /// Returns the macros by name, each with the file that defines it.
    pub fn macros(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.macros.iter().map(|(name, found)| (name.as_str(), found.path.as_path()))
    }

    /// Returns the values of the environment that were used so far: secrets, to be kept out of everything that is written.
    pub fn env_values(&self) -> Vec<String> {
        self.known.used_values()
    }

    fn render(&self, name: &'static str, text: &Spanned<String>, out: &mut Diagnostics) -> Option<String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.known.start();
        self.known.add_written(&text.value);
        let mut buffer = Bounded(vec![]);
        let result = self
            .env
            .template_from_named_str(name, &text.value)
            .and_then(|template| template.render_captured_to((), &mut buffer).map(drop))
            .and_then(|()| String::from_utf8(buffer.0).map_err(|_| Error::new(ErrorKind::WriteFailure, "output is not text")));
        match result {
            Ok(rendered) => Some(rendered),
            Err(error) => {
                self.report(&error, text.span, is_exact(text), out);
                None
            }
        }
    }
}

fn has_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
}

/// Tells whether offsets in the text are offsets in the file: an escape or a folded line would have changed its length.
fn is_exact(text: &Spanned<String>) -> bool {
    text.value.len() == (text.span.end - text.span.start) as usize
}

/// `env` in templates: looks names up when they are used, and remembers what it gave out.
#[derive(Debug)]
struct EnvironmentValues(Arc<Known>);

impl Object for EnvironmentValues {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.environment(key.as_str()?).map(Value::from)
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("env")
    }
}

/// Takes output up to the limit.
struct Bounded(Vec<u8>);

impl io::Write for &mut Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("output is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Diagnostic, SourceMap};

    /// A pipeline's templates with some variables and macros, and the map that all spans point into.
    struct Fixture {
        sources: SourceMap,
        templates: Templates,
    }

    const MACROS: &str = "{# shares #}\n\
        {% macro ratio(x) %}\nCASE WHEN {{ x }} > 1 THEN {{ x }} / 100.0 ELSE {{ x }} END\n{% endmacro %}\n\
        {%- macro twice(x, by=2) -%} {{ ratio('x * 2') }} + {{ x }} * {{ by }} {%- endmacro -%}\n\
        {% macro tenant(x) %}{{ x }} = {{ vars.name }}{% endmacro %}\n\
        {% macro forever(x) %}{{ forever(x ~ x) }}{% endmacro %}\n\
        {% macro ping(x) %}{{ pong(x) }}{% endmacro %}{% macro pong(x) %}{{ ping(x) }}{% endmacro %}\n\
        {% macro broken(x) %}{{ nowhere }}{% endmacro %}\n";

    fn fixture() -> Fixture {
        let mut sources = SourceMap::default();
        let vars = r#"{"name": "O'Brien", "n": 5, "minus": -1, "rate": 1.10, "on": true, "none": null, "list": ["a", "b'"],
            "big": 12345678901234567890.123456789, "column": "amount", "empty": [], "tree": {"leaf": "x"}}"#;
        let names = Names {
            vars: serde_json::from_str(vars).unwrap(),
            env: Arc::new(|name| (name == "SECRET").then(|| "hunter2".to_owned())),
            pipeline: Some("sales".to_owned()),
            target: None,
        };
        let mut templates = Templates::new(names);
        let file = sources.add("transforms/macros.j2", MACROS);
        let mut out = Diagnostics::default();
        templates.add_macros(Path::new("transforms/macros.j2"), file, MACROS, &mut out);
        assert!(out.is_empty(), "{:?}", out.into_sorted());
        Fixture { sources, templates }
    }

    impl Fixture {
        fn written(&mut self, text: &str) -> Spanned<String> {
            let file = self.sources.add("p.yaml", format!("id: \"{text}\"\n"));
            Spanned::new(text.to_owned(), Span { file, start: 5, end: 5 + text.len() as u32 })
        }

        fn expression(&mut self, text: &str) -> Result<String, Vec<Diagnostic>> {
            let text = self.written(text);
            let mut out = Diagnostics::default();
            self.templates.expression(&text, &mut out).map(|rendered| rendered.text).ok_or_else(|| out.into_sorted())
        }

        /// Renders what must fail: its code, what its span covers, and its message.
        fn failure(&mut self, text: &str) -> (&'static str, String, String) {
            let found = self.expression(text).unwrap_err();
            assert_eq!(found.len(), 1, "{found:?}");
            (found[0].code, self.sources.snippet(found[0].span).to_owned(), found[0].message.clone())
        }
    }

    #[test]
    fn values_become_literals() {
        let mut f = fixture();
        for (text, wanted) in [
            ("a = {{ vars.name }}", "a = 'O''Brien'"),
            ("{{ vars.n }}", "5"),
            ("x -{{ vars.minus }}", "x -(-1)"),
            ("{{ vars.rate }} {{ vars.big }}", "1.10 12345678901234567890.123456789"),
            ("{{ vars.on }} {{ vars.none }}", "TRUE NULL"),
            ("a IN ({{ vars.list }})", "a IN ('a', 'b''')"),
            ("{{ vars.tree.leaf }}", "'x'"),
            ("{{ pipeline }}", "'sales'"),
            ("{{ sql('now()') }}", "now()"),
            ("{{ sql(vars.column) }}", "amount"),
            ("{% if vars.name == \"O'Brien\" %}a{% else %}b{% endif %}", "a"),
            ("{{ vars.nothing | default('a') }}", "'a'"),
            ("{{ vars.n * 2 }} {{ 'x ' ~ vars.n }}", "10 'x 5'"),
            ("{# note #}a", "a"),
            ("{{ vars.name | upper | replace('\\'', '') }}", "'OBRIEN'"),
        ] {
            assert_eq!(f.expression(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn plain_text_is_exact_and_bare_text_has_no_quotes() {
        let mut f = fixture();
        let mut out = Diagnostics::default();
        let plain = f.written("a || '}}'");
        assert_eq!(f.templates.expression(&plain, &mut out), Some(Rendered { text: "a || '}}'".to_owned(), exact: true }));
        let path = f.written("data/{{ vars.name }}/{{ vars.rate }}-{{ pipeline }}.json");
        assert_eq!(f.templates.bare(&path, &mut out).as_deref(), Some("data/O'Brien/1.10-sales.json"));
        assert!(out.is_empty());
        let list = f.written("{{ vars.list }}");
        assert_eq!(f.templates.bare(&list, &mut out), None);
        assert_eq!(out.into_sorted()[0].code, "E0305");
    }

    #[test]
    fn macros_take_expressions_and_values() {
        let mut f = fixture();
        let ratio = |x: &str| format!("CASE WHEN {x} > 1 THEN {x} / 100.0 ELSE {x} END");
        assert_eq!(f.expression("{{ ratio('rate') }}"), Ok(ratio("rate")));
        assert_eq!(f.expression("1 + {{ ratio('a / b') }}"), Ok(format!("1 + {}", ratio("(a / b)"))));
        assert_eq!(f.expression("{{ ratio(x='round(a, 2)') }}"), Ok(ratio("round(a, 2)")));
        assert_eq!(f.expression("{{ ratio(vars.n) }}"), Ok(ratio("5")));
        assert_eq!(f.expression("{{ ratio(vars.name) }}"), Ok(ratio("'O''Brien'")));
        assert_eq!(f.expression("{{ ratio(ratio('a')) }}"), Ok(ratio(&format!("({})", ratio("a")))));
        let loops = f.expression("{% for c in ['a', 'b'] %}{{ tenant(c) }};{% endfor %}");
        assert_eq!(loops.as_deref(), Ok("a = 'O''Brien';b = 'O''Brien';"));
        assert_eq!(f.expression("{{ twice('a - 1', by=3) }}"), Ok(format!("{} + (a - 1) * 3", ratio("(x * 2)"))));
    }

    #[test]
    fn macros_are_applied_to_expressions() {
        let mut f = fixture();
        let mut out = Diagnostics::default();
        let (name, wrong) = (f.written("ratio"), f.written("ratoi"));
        let applied = f.templates.apply(&name, "achievement + 1", &mut out);
        let wanted = "CASE WHEN (achievement + 1) > 1 THEN (achievement + 1) / 100.0 ELSE (achievement + 1) END";
        assert_eq!(applied.as_deref(), Some(wanted));
        assert_eq!(f.templates.apply(&wrong, "a", &mut out), None);
        let found = out.into_sorted();
        assert_eq!((found[0].code, found[0].message.as_str()), ("E0302", "no macro is named `ratoi`"));
        assert_eq!(found[0].help[0], "Did you mean `ratio`?");
    }

    #[test]
    fn undefined_names_are_told_at_their_place() {
        let mut f = fixture();
        let found = f.expression("a + {{ vars.nmae }}").unwrap_err();
        assert_eq!((found[0].code, found[0].message.as_str()), ("E0303", "`vars.nmae` is undefined"));
        assert_eq!(f.sources.snippet(found[0].span), "vars.nmae");
        assert_eq!(found[0].help[0], "Did you mean `name`?");
        let told = |code, place: &str, message: &str| (code, place.to_owned(), message.to_owned());
        assert_eq!(f.failure("{{ env.MISSING }}"), told("E0303", "env.MISSING", "`env.MISSING` is undefined"));
        assert_eq!(f.failure("{{ target }}"), told("E0303", "target", "`target` is undefined"));
        assert_eq!(f.failure("{{ ratoi('a') }}"), told("E0302", "ratoi('a')", "no template macro or function is named `ratoi`"));
        assert_eq!(f.failure("{{ 'a' | uper }}"), told("E0302", "uper", "no template filter is named `uper`"));
        assert_eq!(f.failure("{{ broken('a') }}"), told("E0303", "nowhere", "`nowhere` is undefined"));
        let found = f.expression("{{ broken('a') }}").unwrap_err();
        assert_eq!(f.sources.path(found[0].span.file), Path::new("transforms/macros.j2"));
        assert_eq!(f.sources.snippet(found[0].labels[0].0), "{{ broken('a') }}");
    }

    #[test]
    fn what_has_no_sql_form_is_refused() {
        let mut f = fixture();
        for (text, code) in [
            ("{{ vars.empty }}", "E0305"),
            ("{{ vars.tree }}", "E0305"),
            ("{{ ratio }}", "E0305"),
            ("{{ vars.n / 0 }}", "E0305"),
            ("{{ 'a' }", "E0301"),
            ("{% if %}", "E0301"),
            ("'{{ vars.name }}'", "E0306"),
            ("a || 'it''s {{ vars.name }} days'", "E0306"),
        ] {
            assert_eq!(f.failure(text).0, code, "{text}");
        }
    }

    #[test]
    fn what_never_ends_is_stopped() {
        let mut f = fixture();
        for text in [
            "{% for i in range(1000000000) %}a{% endfor %}",
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "{{ 'x' * 10**9 }}",
            "{{ 'x' * 10**8 }}",
            "{{ ('x' * 10**6) | replace('x', 'y' * 10**6) }}",
            "{% for i in range(50000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}",
            "{{ forever('a') }}",
            "{{ ping('a') }}",
            "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
        ] {
            assert_eq!(f.failure(text).0, "E0304", "{text}");
        }
        assert_eq!(f.expression("{{ vars.n }}").as_deref(), Ok("5"));
    }

    #[test]
    fn secrets_are_remembered_and_kept_out_of_messages() {
        let mut f = fixture();
        let mut out = Diagnostics::default();
        assert!(f.templates.env_values().is_empty());
        let url = f.written("postgres://u:{{ env.SECRET }}@h/{{ env.SECRET | int }}");
        assert_eq!(f.templates.bare(&url, &mut out), None);
        let shown = format!("{:?}", out.into_sorted());
        assert!(shown.contains("E0305") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(f.templates.env_values(), ["hunter2"]);
    }

    #[test]
    fn macro_files_are_judged_when_they_are_loaded() {
        let mut f = fixture();
        let mut out = Diagnostics::default();
        let texts = [
            "{% macro a(x) %}\n{{ x + }}{% endmacro %}",
            "{% macro ratio(x) %}{% endmacro %}",
            "{% raw %}{% macro no(x) %}{% endraw %}{% macro range(x) %}{% endmacro %}",
        ];
        for text in texts {
            let file = f.sources.add("transforms/more.j2", text);
            f.templates.add_macros(Path::new("transforms/more.j2"), file, text, &mut out);
        }
        let found = out.into_sorted();
        let told: Vec<_> = found.iter().map(|d| (d.code, f.sources.snippet(d.span), f.sources.line_column(d.span).0)).collect();
        assert_eq!(told, [("E0301", "}}", 2), ("E0307", "ratio", 1), ("E0307", "range", 1)]);
        assert!(f.templates.macros().any(|(name, _)| name == "twice"));
    }
}
