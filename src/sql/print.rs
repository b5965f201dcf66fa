//! The walk that turns a tree into SQL text with as few parentheses as keep its meaning.
//!
//! In: a resolved expression and a dialect. Out: one line of SQL, or the part that the dialect cannot say.
//! Does not know about any one database.

use super::{Binding, Dialect, Printed, PrintedCall, PrintedLike, Unsupported};
use crate::expr::{BinaryOp, Call, Expr, ExprKind, OrderBy, UnaryOp, Window};

/// Writes an expression in the words of a dialect.
pub fn expression(dialect: &dyn Dialect, expr: &Expr) -> Result<String, Unsupported> {
    Ok(print(dialect, expr)?.sql)
}

/// Writes an expression for a place where an operator stands beside it.
pub fn operand(dialect: &dyn Dialect, expr: &Expr, least: Binding) -> Result<String, Unsupported> {
    Ok(print(dialect, expr)?.within(least))
}

/// Writes sort keys, separated by commas.
pub fn order_by(dialect: &dyn Dialect, keys: &[OrderBy]) -> Result<String, Unsupported> {
    let keys: Vec<String> = keys
        .iter()
        .map(|key| Ok(print(dialect, &key.expr)?.sql + &dialect.sort_order(key.descending, key.nulls_first)))
        .collect::<Result<_, _>>()?;
    Ok(keys.join(", "))
}

fn print(dialect: &dyn Dialect, expr: &Expr) -> Result<Printed, Unsupported> {
    let span = expr.span;
    let child = |e: &Expr| print(dialect, e);
    match &expr.kind {
        ExprKind::Name(parts) => Ok(Printed::atom(parts.iter().map(|p| dialect.quote(p)).collect::<Vec<_>>().join("."))),
        ExprKind::Column(name) => Ok(Printed::atom(dialect.quote(name))),
        ExprKind::Field(operand, field) => dialect.field(&child(operand)?, field, span),
        ExprKind::Literal(literal) => dialect.literal(literal, span),
        ExprKind::Unary(op, operand) => Ok(unary(*op, &child(operand)?)),
        ExprKind::Binary(left, op, right) => binary(dialect, expr, left, *op, right),
        ExprKind::IsNull { operand, negated } => {
            let operand = child(operand)?.within(Binding::Other);
            Ok(Printed::new(format!("{operand} IS {}NULL", if *negated { "NOT " } else { "" }), Binding::Comparison))
        }
        ExprKind::InList { list, .. } if list.is_empty() => Err(Unsupported::new("IN with an empty list", span)),
        ExprKind::InList { operand, list, negated } => {
            let items = list.iter().map(child).collect::<Result<Vec<_>, _>>()?;
            Ok(dialect.membership(expr, &child(operand)?, &items, *negated))
        }
        ExprKind::Between { operand, low, high, negated } => {
            let (operand, low, high) = (child(operand)?, child(low)?, child(high)?);
            let sql = format!(
                "{} {}BETWEEN {} AND {}",
                operand.within(Binding::Other),
                not(*negated),
                low.within(Binding::Other),
                high.within(Binding::Other)
            );
            Ok(Printed::new(sql, Binding::Comparison))
        }
        ExprKind::Like { operand, pattern, escape, ignore_case, negated } => {
            let (operand, pattern) = (child(operand)?, child(pattern)?);
            let like = PrintedLike {
                operand: &operand,
                pattern: &pattern,
                escape: *escape,
                ignore_case: *ignore_case,
                negated: *negated,
            };
            dialect.like(like, span)
        }
        ExprKind::Case { operand, branches, otherwise } => {
            let mut sql = "CASE".to_string();
            if let Some(operand) = operand {
                sql += &format!(" {}", child(operand)?.sql);
            }
            for (when, then) in branches {
                sql += &format!(" WHEN {} THEN {}", child(when)?.sql, child(then)?.sql);
            }
            if let Some(otherwise) = otherwise {
                sql += &format!(" ELSE {}", child(otherwise)?.sql);
            }
            Ok(Printed::atom(sql + " END"))
        }
        ExprKind::Cast { operand, to, attempt } => dialect.cast(&child(operand)?, to, *attempt, span),
        ExprKind::Call(called) => call(dialect, called, expr),
        ExprKind::Subscript(list, index) => dialect.subscript(&child(list)?, &child(index)?, span),
        ExprKind::List(items) => {
            let items: Vec<Printed> = items.iter().map(child).collect::<Result<_, _>>()?;
            dialect.list(&items, span)
        }
        ExprKind::Struct(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), child(value)?)));
            dialect.structure(&fields.collect::<Result<Vec<_>, _>>()?, span)
        }
        ExprKind::Lambda { parameters, body } => dialect.lambda(parameters, &child(body)?, span),
    }
}

/// Writes `operand IN (items)`.
pub fn membership(operand: &Printed, items: &[Printed], negated: bool) -> Printed {
    let items: Vec<&str> = items.iter().map(|i| i.sql.as_str()).collect();
    let sql = format!("{} {}IN ({})", operand.within(Binding::Other), not(negated), items.join(", "));
    Printed::new(sql, Binding::Comparison)
}

fn all(dialect: &dyn Dialect, list: &[Expr]) -> Result<String, Unsupported> {
    let printed: Vec<String> = list.iter().map(|e| expression(dialect, e)).collect::<Result<_, _>>()?;
    Ok(printed.join(", "))
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn unary(op: UnaryOp, operand: &Printed) -> Printed {
    let (sign, binding) = match op {
        UnaryOp::Not => return Printed::new(format!("NOT {}", operand.within(Binding::Not)), Binding::Not),
        UnaryOp::Minus => ("-", Binding::Sign),
        UnaryOp::Plus => ("+", Binding::Sign),
    };
    let operand = operand.within(Binding::Postfix);
    // `--` would begin a comment, and `-1` would be a literal.
    let apart = operand.starts_with(['-', '+']) || operand.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let sql = if apart { format!("{sign}({operand})") } else { format!("{sign}{operand}") };
    Printed::new(sql, binding)
}

/// Prints a chain of operators without going down its left side by recursion.
fn binary(dialect: &dyn Dialect, tree: &Expr, left: &Expr, op: BinaryOp, right: &Expr) -> Result<Printed, Unsupported> {
    let mut chain = vec![(tree, op, right)];
    let mut first = left;
    while let ExprKind::Binary(left, op, right) = &first.kind {
        chain.push((first, *op, right));
        first = left;
    }
    let mut printed = print(dialect, first)?;
    for (tree, op, right) in chain.into_iter().rev() {
        printed = dialect.binary(tree, &printed, op, &print(dialect, right)?)?;
    }
    Ok(printed)
}

fn call(dialect: &dyn Dialect, call: &Call, expr: &Expr) -> Result<Printed, Unsupported> {
    let arguments: Vec<Printed> = call.arguments.iter().map(|a| print(dialect, a)).collect::<Result<_, _>>()?;
    let keys = order_by(dialect, &call.order_by)?;
    let mut suffix = String::new();
    if let Some(filter) = &call.filter {
        suffix += &format!(" FILTER (WHERE {})", expression(dialect, filter)?);
    }
    if let Some(window) = &call.over {
        suffix += &format!(" OVER ({})", over(dialect, window)?);
    }
    let order_by = if keys.is_empty() { keys } else { format!("ORDER BY {keys}") };
    dialect.call(&PrintedCall { call, arguments: &arguments, order_by, suffix, span: expr.span })
}

fn over(dialect: &dyn Dialect, window: &Window) -> Result<String, Unsupported> {
    let mut parts = vec![];
    if !window.partition_by.is_empty() {
        parts.push(format!("PARTITION BY {}", all(dialect, &window.partition_by)?));
    }
    if !window.order_by.is_empty() {
        parts.push(format!("ORDER BY {}", order_by(dialect, &window.order_by)?));
    }
    parts.extend(window.frame.clone());
    Ok(parts.join(" "))
}

/// Writes `left symbol right`, which groups to the left; comparisons do not group at all.
pub fn infix(symbol: &str, binding: Binding, left: &Printed, right: &Printed) -> Printed {
    let (least_left, least_right) = match binding {
        Binding::Or => (Binding::Or, Binding::And),
        Binding::And => (Binding::And, Binding::Not),
        Binding::Other => (Binding::Other, Binding::Sum),
        Binding::Sum => (Binding::Sum, Binding::Product),
        Binding::Product => (Binding::Product, Binding::Sign),
        Binding::Comparison => (Binding::Other, Binding::Other),
        Binding::Lambda | Binding::Not | Binding::Sign | Binding::Postfix | Binding::Atom => (Binding::Atom, Binding::Atom),
    };
    Printed::new(format!("{} {symbol} {}", left.within(least_left), right.within(least_right)), binding)
}

/// Writes LIKE with the ESCAPE that is asked for.
pub fn like(like: &PrintedLike) -> Printed {
    let word = if like.ignore_case { "ILIKE" } else { "LIKE" };
    let (operand, pattern) = (like.operand.within(Binding::Other), like.pattern.within(Binding::Other));
    let mut sql = format!("{operand} {}{word} {pattern}", not(like.negated));
    if let Some(escape) = like.escape {
        sql += &format!(" ESCAPE {}", text(&escape.to_string()));
    }
    Printed::new(sql, Binding::Comparison)
}

/// Writes a text in single quotes.
pub fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// Returns the symbol and binding of an operator that is the same in DuckDB and Postgres.
pub fn standard(op: BinaryOp) -> (&'static str, Binding) {
    match op {
        BinaryOp::Or => ("OR", Binding::Or),
        BinaryOp::And => ("AND", Binding::And),
        BinaryOp::Equal => ("=", Binding::Comparison),
        BinaryOp::NotEqual => ("<>", Binding::Comparison),
        BinaryOp::Less => ("<", Binding::Comparison),
        BinaryOp::LessOrEqual => ("<=", Binding::Comparison),
        BinaryOp::Greater => (">", Binding::Comparison),
        BinaryOp::GreaterOrEqual => (">=", Binding::Comparison),
        BinaryOp::IsNotDistinctFrom => ("IS NOT DISTINCT FROM", Binding::Comparison),
        BinaryOp::IsDistinctFrom => ("IS DISTINCT FROM", Binding::Comparison),
        BinaryOp::Add => ("+", Binding::Sum),
        BinaryOp::Subtract => ("-", Binding::Sum),
        BinaryOp::Multiply => ("*", Binding::Product),
        BinaryOp::Divide => ("/", Binding::Product),
        BinaryOp::IntegerDivide => ("//", Binding::Product),
        BinaryOp::Modulo => ("%", Binding::Product),
        BinaryOp::Concat => ("||", Binding::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::expression;
    use crate::diagnostics::{Diagnostics, SourceMap, Span};
    use crate::expr::{BinaryOp, Call, Expr, ExprKind, Literal, OrderBy, UnaryOp, Window, parse};
    use crate::sql::duckdb::DuckDb;
    use crate::types::DataType;

    fn place() -> Span {
        Span { file: SourceMap::default().add("test", ""), start: 0, end: 0 }
    }

    fn read(text: &str) -> Expr {
        let mut out = Diagnostics::default();
        let expr = parse::expression(text, place(), false, &mut out);
        expr.unwrap_or_else(|| panic!("{text}: {:?}", out.into_sorted()))
    }

    /// Makes random trees, the same ones each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) % n
        }

        fn flag(&mut self) -> bool {
            self.below(2) == 0
        }

        fn some<T>(&mut self, make: impl Fn(&mut Random) -> T) -> Vec<T> {
            (0..1 + self.below(2)).map(|_| make(self)).collect()
        }

        fn name(&mut self) -> String {
            ["a", "b", "Order Date", "select", "c\"d", "é", "end"][self.below(7) as usize].to_string()
        }

        fn leaf(&mut self) -> ExprKind {
            ExprKind::Literal(match self.below(10) {
                0 => Literal::Null,
                1 => Literal::Boolean(self.flag()),
                2 => Literal::Number(["1", "-1", "2.50", "1e5", "-0.5"][self.below(5) as usize].to_string()),
                3 => Literal::Text(["", "it's", "a\\b", "--", "/*", "💡\n"][self.below(6) as usize].to_string()),
                4 => Literal::Typed(DataType::Date, "2025-01-01".to_string()),
                5 => Literal::Typed(DataType::Interval, "1 day".to_string()),
                _ => return ExprKind::Name(self.some(Random::name)),
            })
        }

        fn keys(&mut self, depth: u64) -> Vec<OrderBy> {
            let nulls_first = [None, Some(true), Some(false)][self.below(3) as usize];
            vec![OrderBy { expr: self.expr(depth), descending: self.flag(), nulls_first }]
        }

        fn call(&mut self, depth: u64) -> ExprKind {
            let mut call = Call {
                function: ["lower", "string_agg", "my function"][self.below(3) as usize].to_string(),
                arguments: self.some(|r| r.expr(depth)),
                star: false,
                distinct: self.below(5) == 0,
                order_by: vec![],
                filter: None,
                over: None,
            };
            match self.below(6) {
                0 => call.filter = Some(Box::new(self.expr(depth))),
                1 => call.order_by = self.keys(depth),
                2 => {
                    let (partition_by, order_by) = (self.some(|r| r.expr(depth)), self.keys(depth));
                    let frame = self.flag().then(|| "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW".to_string());
                    call.over = Some(Window { partition_by, order_by, frame });
                }
                3 => {
                    let lambda = ExprKind::Lambda { parameters: self.some(Random::name), body: self.boxed(depth) };
                    call.arguments.push(Expr::new(lambda, place()));
                }
                _ => {}
            }
            ExprKind::Call(call)
        }

        fn boxed(&mut self, depth: u64) -> Box<Expr> {
            Box::new(self.expr(depth))
        }

        fn expr(&mut self, depth: u64) -> Expr {
            if depth == 0 {
                return Expr::new(self.leaf(), place());
            }
            let depth = depth - 1;
            let operators = [
                [BinaryOp::Or, BinaryOp::And, BinaryOp::Equal, BinaryOp::Less, BinaryOp::IsDistinctFrom, BinaryOp::Concat],
                [
                    BinaryOp::Add,
                    BinaryOp::Subtract,
                    BinaryOp::Multiply,
                    BinaryOp::Divide,
                    BinaryOp::IntegerDivide,
                    BinaryOp::Modulo,
                ],
            ];
            let kind = match self.below(22) {
                0..8 => {
                    let op = operators[self.below(2) as usize][self.below(6) as usize];
                    ExprKind::Binary(self.boxed(depth), op, self.boxed(depth))
                }
                8..10 => {
                    ExprKind::Unary([UnaryOp::Not, UnaryOp::Minus, UnaryOp::Plus][self.below(3) as usize], self.boxed(depth))
                }
                10 => ExprKind::IsNull { operand: self.boxed(depth), negated: self.flag() },
                11 => ExprKind::InList { operand: self.boxed(depth), list: self.some(|r| r.expr(depth)), negated: self.flag() },
                12 => ExprKind::Between {
                    operand: self.boxed(depth),
                    low: self.boxed(depth),
                    high: self.boxed(depth),
                    negated: self.flag(),
                },
                13 => ExprKind::Like {
                    operand: self.boxed(depth),
                    pattern: self.boxed(depth),
                    escape: self.flag().then_some('!'),
                    ignore_case: self.flag(),
                    negated: self.flag(),
                },
                14 => ExprKind::Case {
                    operand: self.flag().then(|| self.boxed(depth)),
                    branches: self.some(|r| (r.expr(depth), r.expr(depth))),
                    otherwise: self.flag().then(|| self.boxed(depth)),
                },
                15 => {
                    let to = [DataType::Text, DataType::Decimal(Some((5, 2))), DataType::List(Box::new(DataType::Integer))];
                    let to = to[self.below(3) as usize].clone();
                    ExprKind::Cast { operand: self.boxed(depth), to, attempt: self.flag() }
                }
                16 => ExprKind::Subscript(self.boxed(depth), self.boxed(depth)),
                17 => ExprKind::Field(self.boxed(depth), self.name()),
                18 => ExprKind::List(self.some(|r| r.expr(depth))),
                19 => ExprKind::Struct(self.some(|r| (r.name(), r.expr(depth)))),
                _ => self.call(depth),
            };
            Expr::new(kind, place())
        }
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same_tree() {
        let mut random = Random(7);
        for round in 0..3_000 {
            let tree = random.expr(round % 5);
            let sql = expression(&DuckDb, &tree).expect("everything can be said");
            assert_eq!(read(&sql), tree, "{sql}");
        }
    }

    #[test]
    fn parentheses_stand_only_where_they_are_needed() {
        for (written, printed) in [
            ("((a + b)) * c", r#"("a" + "b") * "c""#),
            ("(a * b) + c", r#""a" * "b" + "c""#),
            ("a - (b - c)", r#""a" - ("b" - "c")"#),
            ("(a - b) - c", r#""a" - "b" - "c""#),
            ("NOT (a = b)", r#"NOT "a" = "b""#),
            ("(a = b) = c", r#"("a" = "b") = "c""#),
            ("a AND (b OR c)", r#""a" AND ("b" OR "c")"#),
            ("a || (1 + 2)", r#""a" || 1 + 2"#),
            ("-(-1)", "-(-1)"),
            ("x -> x + 1", r#"lambda "x": "x" + 1"#),
            ("(a).b.c", r#"("a")."b"."c""#),
            ("cast(a as decimal(3,2))", r#"CAST("a" AS DECIMAL(3,2))"#),
            ("count(*) filter (where a)", r#"count(*) FILTER (WHERE "a")"#),
            ("a is true", r#""a" IS NOT DISTINCT FROM TRUE"#),
            ("interval 3 days", "INTERVAL '3 days'"),
        ] {
            assert_eq!(expression(&DuckDb, &read(written)).as_deref(), Ok(printed), "{written}");
        }
    }
}
