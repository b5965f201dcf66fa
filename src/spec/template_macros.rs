//! Macros of `transforms/*.j2`: finding them in a file, and calling them so that expressions stay expressions.
//!
//! Each macro becomes a template of its own, in which the file's other macros are blanked out: their names then mean the functions that
//! come back here, so every call passes its texts in as SQL, wherever it stands. Offsets stay those of the file.
//! Does not know how values are printed (see `template_value`).

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use minijinja::value::{Kwargs, Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind};

use super::template::{FUEL, MAX_OUTPUT};
use super::template_value::{Known, as_operand};
use crate::diagnostics::Span;

/// What a macro is called with.
pub(super) type Arguments = Rest<ValueOrKwargs>;

/// How deep macros may call each other.
const MAX_CALLS: usize = 16;
const PREFIX: &str = "macro ";

/// Where a macro is defined.
pub(super) struct Macro {
    /// The place of its name.
    pub(super) span: Span,
    pub(super) path: PathBuf,
}

/// One `{% macro name(...) %} ... {% endmacro %}` of a file.
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) name_start: usize,
    range: Range<usize>,
}

/// Returns the name of the template that holds a macro.
pub(super) fn template_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Returns the macro that a template holds.
pub(super) fn macro_name(template: &str) -> Option<&str> {
    template.strip_prefix(PREFIX)
}

/// Finds the outermost macros of a file that the engine has parsed, so that its tags are known to be closed.
pub(super) fn find(text: &str) -> Vec<Definition> {
    let mut found: Vec<Definition> = vec![];
    let mut depth = 0;
    let mut at = 0;
    let mut raw = false;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('{')).map(|offset| at + offset) {
        let closing = match text.get(start..start + 2) {
            Some("{%") => "%}",
            Some("{#") if !raw => "#}",
            Some("{{") if !raw => "}}",
            _ => {
                at = start + 1;
                continue;
            }
        };
        let Some(end) = text.get(start + 2..).and_then(|rest| rest.find(closing)).map(|offset| start + 2 + offset + 2) else {
            break;
        };
        at = end;
        if closing != "%}" {
            continue;
        }
        let tag = text.get(start + 2..end - 2).unwrap_or("").trim_start_matches(['-', '+']).trim_end_matches(['-', '+']);
        let mut words = tag.split_whitespace();
        match words.next() {
            Some("raw") => raw = true,
            Some("endraw") => raw = false,
            _ if raw => at = start + 2,
            Some("macro") => {
                if depth == 0 {
                    // The engine allows `{%- macro name (`, so the name starts wherever its first letter is.
                    let head = text.get(start + 2..end).unwrap_or("");
                    let before = head.find("macro").map_or(0, |word| word + "macro".len());
                    let skipped = head.get(before..).map_or(0, |rest| rest.len() - rest.trim_start().len());
                    let name_start = start + 2 + before + skipped;
                    let rest = text.get(name_start..end).unwrap_or("");
                    let name = rest.split(|c: char| c == '(' || c.is_whitespace()).next().unwrap_or("").to_owned();
                    found.push(Definition { name, name_start, range: start..text.len() });
                }
                depth += 1;
            }
            Some("endmacro") => {
                depth -= 1;
                if depth == 0
                    && let Some(last) = found.last_mut()
                {
                    last.range.end = end;
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns the file with every macro but one blanked out, so that offsets and lines stay.
pub(super) fn without_others(text: &str, definitions: &[Definition], keep: usize) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (index, definition) in definitions.iter().enumerate() {
        let range = definition.range.clone();
        result.push_str(text.get(at..range.start).unwrap_or(""));
        let body = text.get(range.clone()).unwrap_or("");
        if index == keep {
            result.push_str(body);
        } else {
            body.bytes().for_each(|b| result.push(if b == b'\n' { '\n' } else { ' ' }));
        }
        at = range.end;
    }
    result.push_str(text.get(at..).unwrap_or(""));
    result
}

/// Calls a macro from within a template: texts that the template itself wrote are expressions, variables stay values.
pub(super) fn call(env: &Environment<'_>, known: &Known, name: &str, args: Arguments) -> Result<Value, Error> {
    let args: Vec<Value> = args
        .into_values()
        .into_iter()
        .map(|value| match Kwargs::try_from(value.clone()) {
            Ok(named) => {
                let pairs: Result<Vec<_>, Error> =
                    named.args().map(|key| Ok((key, argument(known, named.get::<Value>(key)?)))).collect();
                pairs.map(|pairs| Value::from(pairs.into_iter().collect::<Kwargs>()))
            }
            Err(_) => Ok(argument(known, value)),
        })
        .collect::<Result<_, _>>()?;
    call_with(env, known, name, &args)
}

fn argument(known: &Known, value: Value) -> Value {
    match value.as_str() {
        Some(text) if value.is_safe() || known.is_written(text) => Value::from_safe_string(as_operand(text)),
        _ => value,
    }
}

/// Calls a macro with arguments as they are; its result is SQL.
pub(super) fn call_with(env: &Environment<'_>, known: &Known, name: &str, args: &[Value]) -> Result<Value, Error> {
    if known.calls() >= MAX_CALLS {
        return Err(Error::new(ErrorKind::InvalidOperation, "recursion limit exceeded"));
    }
    let template = env.get_template(&template_name(name))?;
    let (text, spent) = known.nested(|| -> Result<_, Error> {
        let mut module = template.render_captured_to((), io::sink())?;
        let text = module.with_state_mut(|state| state.call_macro(name, args))?;
        Ok((text, module.state().fuel_levels().map_or(0, |(spent, _)| spent)))
    })?;
    if known.spend(spent) > FUEL {
        return Err(Error::from(ErrorKind::OutOfFuel));
    }
    if text.len() > MAX_OUTPUT {
        return Err(Error::new(ErrorKind::InvalidOperation, "output is too large"));
    }
    Ok(Value::from_safe_string(text.trim().to_owned()))
}
