//! The functions of the language that the engine does not have: `uuid5(part, ...)` and `slugify(text)`.
//!
//! Each is rewritten into calls that every row can be computed with in the engine. Does not know about tables.

use crate::expr::{BinaryOp, Expr, ExprKind};
use crate::types::DataType;

/// The engine's macro that makes a version 5 UUID of a SHA-1 digest in hexadecimal (RFC 9562, section 5.5).
pub const UUID5: &str = "pipe_uuid5";

/// Rewrites our own functions anywhere in a resolved expression.
///
/// `namespace` is the pipeline's namespace as 32 hexadecimal digits (RFC 9562, section 5.5).
pub fn expand(mut expr: Expr, namespace: &str) -> Expr {
    for child in expr.children_mut() {
        *child = expand(child.clone(), namespace);
    }
    match &expr.kind {
        ExprKind::Call(call) if call.function == "uuid5" => uuid5(&call.arguments, namespace, &expr),
        ExprKind::Call(call) if call.function == "slugify" && call.arguments.len() == 1 => slugify(&call.arguments[0], &expr),
        _ => expr,
    }
}

/// A name-based UUID: the parts joined by `:` (each with `\` and `:` escaped, so that no two lists of parts are the same name).
///
/// NULL in any part gives NULL: a key must not be made of nothing.
fn uuid5(parts: &[Expr], namespace: &str, whole: &Expr) -> Expr {
    let span = whole.span;
    let text = |s: &str| Expr::text(s, span);
    let concat = |a: Expr, b: Expr| a.binary(BinaryOp::Concat, b);
    let name = parts
        .iter()
        .map(|part| {
            let part = part.clone().cast(DataType::Text);
            if parts.len() == 1 {
                return part;
            }
            let escaped = Expr::call("replace", vec![part, text("\\"), text("\\\\")], span);
            Expr::call("replace", vec![escaped, text(":"), text("\\:")], span)
        })
        .reduce(|joined, part| concat(concat(joined, text(":")), part))
        .unwrap_or_else(|| Expr::null(span));
    let bytes = concat(Expr::call("unhex", vec![text(namespace)], span), Expr::call("encode", vec![name], span));
    let digest = Expr::call("sha1", vec![bytes], span);
    Expr::call(UUID5, vec![digest], span).cast(DataType::Uuid)
}

/// Lower-case ASCII letters and digits with single dashes between: accents are dropped first.
fn slugify(value: &Expr, whole: &Expr) -> Expr {
    let span = whole.span;
    let text = |s: &str| Expr::text(s, span);
    let plain = Expr::call("strip_accents", vec![value.clone().cast(DataType::Text)], span);
    let lower = Expr::call("lower", vec![plain], span);
    let dashed = Expr::call("regexp_replace", vec![lower, text("[^a-z0-9]+"), text("-"), text("g")], span);
    Expr::call("trim", vec![dashed, text("-")], span)
}
