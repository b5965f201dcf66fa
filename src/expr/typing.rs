//! The type of an expression, as the engine would give it.
use super::Expr;
use crate::types::DataType;
/// Returns the type of an expression, or `Unknown` where only the engine can tell.
pub fn type_of(_expr: &Expr, _columns: &dyn Fn(&str) -> Option<DataType>) -> DataType {
    DataType::Unknown
}
/// Returns the common type of two types that loses nothing, or `None`.
pub fn unify(a: &DataType, b: &DataType) -> Option<DataType> {
    (a == b).then(|| a.clone())
}
