//! The table of all codes, with what `pipe explain CODE` says.
//!
//! A code is never reused. E01 files and YAML, E02 names and keys, E03 expressions and templates, E04 tables and columns, E05 contracts,
//! E06 joins and rows; W the same for warnings; R failed rules of data; X files, engine and databases.

/// A code, its title and the text of `pipe explain`.
#[derive(Debug)]
pub struct Code {
    pub code: &'static str,
    pub title: &'static str,
    pub text: &'static str,
}

/// Every code, in order.
pub const CODES: &[Code] = &[
    Code {
        code: "E0101",
        title: "the file is not correct YAML or JSON",
        text: "The parser could not go on at this place: a quote or bracket that is not closed, a `: ` inside a text without quotes, a tab \
               that indents, an alias without an anchor.\n\nExample: `note: see: below` holds two `: `.\n\nFix: `note: \"see: below\"`. \
               Look also at the line above the one that is shown: an error there is often noticed one line later.",
    },
    Code {
        code: "E0103",
        title: "a key stands twice in the same mapping",
        text: "A mapping holds each key once; of two values with the same key one would be lost without a word.\n\nExample: a table with \
               two columns `name:` in its `map`.\n\nFix: rename or remove one of them. Both places are shown.",
    },
    Code {
        code: "E0104",
        title: "a document is too large, too deep, or repeats itself without bound",
        text: "Lists and mappings may nest 128 levels, and what all aliases (`*name`) of a file copy together is bounded, so that a small \
               file cannot fill the memory.\n\nExample: ten anchors, each a list of ten aliases of the one before.\n\nFix: write the repeated parts out, or \
               move what they share into a macro or a variable.",
    },
    Code {
        code: "E0105",
        title: "flow style splits an expression",
        text: "Inside `{...}` and `[...]` YAML ends a text at the next comma or bracket, so an expression with commas falls apart.\n\n\
               Example: `derive: {id: uuid5(a, b)}` has the two keys `id` and `b)`.\n\nFix: quote the expression, `{id: \"uuid5(a, b)\"}`, or write \
               `id: uuid5(a, b)` on a line of its own.",
    },
    Code {
        code: "E0106",
        title: "a value has the wrong kind",
        text: "A key got a list where text is expected, a text where a mapping is expected, or the like.\n\nExample: `load: {mode: [upsert]}`.\n\n\
               Fix: write the kind that the message names. `yes`, `no`, `on` and `off` are texts in YAML 1.2: write `true` or `false`.",
    },
    Code {
        code: "E0108",
        title: "a template stands without quotes",
        text: "To YAML `{{ vars.x }}` is a mapping within a mapping.\n\nExample: `tenant_id: {{ vars.tenant_id }}`.\n\n\
               Fix: quote the whole value: `tenant_id: \"{{ vars.tenant_id }}\"`.",
    },
    Code {
        code: "E0201",
        title: "a key is not known here",
        text: "Every mapping of the language knows a fixed set of keys, so that a misspelt one is not passed over.\n\nExample: `wheer: a > 1` in a \
               table.\n\nFix: take a key of the list that the message gives; where one is close, it is suggested.",
    },
    Code {
        code: "E0301",
        title: "a template cannot be read",
        text: "The text between `{{ }}` or `{% %}` is not correct, or a tag is not closed.\n\nExample: `{{ vars.x }`.\n\nFix: close every `{{` with \
               `}}`, every `{% if %}` with `{% endif %}` and every `{% macro %}` with `{% endmacro %}`.",
    },
    Code {
        code: "E0302",
        title: "no macro, function, filter or test has this name",
        text: "A template calls, or `apply:` names, what is not there.\n\nExample: `apply: ratoi` where the macro is `ratio`.\n\nFix: correct the \
               name, or load the file that defines the macro: `transforms: {macros: transforms/macros.j2}`.",
    },
    Code {
        code: "E0303",
        title: "a template uses an undefined name",
        text: "Templates know `vars.x`, `env.X`, `pipeline`, `target` and macros; a name without a value is an error, not an empty text.\n\n\
               Example: `{{ vars.tenant }}` where only `tenant_id` is declared.\n\nFix: declare the variable under `vars:`, pass `--var tenant=...`, or set \
               the environment variable. `{{ vars.x | default('a') }}` allows it to be missing.",
    },
    Code {
        code: "E0304",
        title: "a template never ends, or becomes too large",
        text: "One string may take 100,000 steps, about 20 nested calls, and become 1 MiB long.\n\nExample: a macro that calls itself, or \
               `{% for i in range(1000000000) %}`.\n\nFix: bound the loop or the recursion. Data belongs into a file that is extracted, not into a template.",
    },
    Code {
        code: "E0305",
        title: "a template cannot be rendered",
        text: "A value has no form in SQL or in a path, or a filter was given something that it cannot take.\n\nExample: `{{ vars.regions }}` \
               where `regions` is an empty list: `IN ()` is not SQL.\n\nFix: print a text, a number, a boolean, or a list that is not empty.",
    },
    Code {
        code: "E0306",
        title: "a template stands inside SQL quotes",
        text: "In an expression a printed text brings its own quotes, so that any content is safe; inside others it would end them.\n\n\
               Example: `'{{ vars.name }}'`.\n\nFix: `{{ vars.name }}`; for a longer text join inside the template: `{{ \"Dr \" ~ vars.name }}`.",
    },
    Code {
        code: "E0307",
        title: "a macro's name is taken",
        text: "Two macros have the same name, or one has the name of something that templates know already.\n\nExample: `{% macro range(x) %}`.\n\n\
               Fix: give one of them another name.",
    },
];

/// Returns the entry of `code`, in whatever case it is written.
pub fn find(code: &str) -> Option<&'static Code> {
    let wanted = code.trim().to_ascii_uppercase();
    CODES
        .binary_search_by(|entry| entry.code.cmp(wanted.as_str()))
        .ok()
        .and_then(|index| CODES.get(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_each_stands_once() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(
            CODES
                .iter()
                .all(|entry| find(entry.code).is_some_and(|found| found.title == entry.title))
        );
        assert_eq!(
            find(" e0105 ").map(|entry| entry.title),
            Some("flow style splits an expression")
        );
        assert!(find("E9999").is_none());
    }
}
