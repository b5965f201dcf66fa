//! `load: {view: schema.name}`: the table's own stages as a view of the target, over tables that live there.
//!
//! In: one mapping of `load`. Out: a [`ViewPlan`]. Does not know how a view is written.

use super::lowering::Lowering;
use crate::diagnostics::{Span, Spanned};
use crate::spec::yaml::Map;

/// A view that a table becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewPlan {
    pub span: Span,
    pub schema: Option<String>,
    pub name: String,
    /// Relations of the pipeline and the target's tables that hold their rows; an extract that is not listed is the table of its name.
    pub over: Vec<(Spanned<String>, Spanned<String>)>,
}

impl ViewPlan {
    /// The name as messages show it.
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Reads the sink of `load` that has the key `view`.
pub fn decode(map: &Map, cx: &mut Lowering) -> Option<ViewPlan> {
    map.only("a view of `load`", &["view", "over"], cx.out);
    let written = map.get("view")?.expect_text("`view`", cx.out)?;
    let (schema, name) = match written.value.split_once('.') {
        Some((schema, name)) => (Some(schema.to_string()), name.to_string()),
        None => (cx.target_schema.map(String::from), written.value.clone()),
    };
    let limit = cx.target.identifier_limit();
    if name.is_empty() || name.len() > limit {
        cx.out
            .error(
                "E0431",
                written.span,
                format!("the name of view `{name}` has {} bytes; {} keeps {limit}", name.len(), cx.target.name()),
            )
            .help(format!("Choose a name of 1 to {limit} bytes."));
        return None;
    }
    let mut over = vec![];
    if let Some(node) = map.get("over") {
        for (relation, table) in &node.expect_map("`over`", cx.out)?.entries {
            over.push((relation.clone(), table.expect_text("a table", cx.out)?));
        }
    }
    Some(ViewPlan { span: written.span, schema, name, over })
}
