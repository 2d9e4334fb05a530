//! The search expressions: `productKey = 'x' and deviceKey in ('a', 'b')`.

use serde_json::Value;

/// A parsed expression.
#[derive(Debug, PartialEq)]
pub(super) enum Expression {
    /// Everything.
    True,
    /// A field has one of these values.
    In(String, Vec<String>),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
}

impl Expression {
    /// Parses an expression that may use these fields.
    pub(super) fn parse(text: &str, fields: &[&str]) -> Option<Self> {
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Some(Self::True);
        }
        let mut rest = tokens.as_slice();
        let parsed = either(&mut rest, fields)?;
        rest.is_empty().then_some(parsed)
    }

    /// Returns whether a row meets it.
    pub(super) fn holds(&self, row: &Value) -> bool {
        match self {
            Self::True => true,
            Self::In(field, values) => row
                .get(field)
                .and_then(Value::as_str)
                .is_some_and(|it| values.iter().any(|v| v == it)),
            Self::Both(a, b) => a.holds(row) && b.holds(row),
            Self::Either(a, b) => a.holds(row) || b.holds(row),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' => {}
            '(' | ')' | ',' | '=' => tokens.push(Token::Sign(letter)),
            '\'' | '"' => {
                let mut value = String::new();
                loop {
                    match letters.next()? {
                        end if end == letter => break,
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Text(value));
            }
            _ => {
                let mut word = String::from(letter);
                while let Some(next) =
                    letters.next_if(|next| next.is_alphanumeric() || "._".contains(*next))
                {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

fn either(rest: &mut &[Token], fields: &[&str]) -> Option<Expression> {
    let mut left = both(rest, fields)?;
    while take_word(rest, "or") {
        left = Expression::Either(Box::new(left), Box::new(both(rest, fields)?));
    }
    Some(left)
}

fn both(rest: &mut &[Token], fields: &[&str]) -> Option<Expression> {
    let mut left = one(rest, fields)?;
    while take_word(rest, "and") {
        left = Expression::Both(Box::new(left), Box::new(one(rest, fields)?));
    }
    Some(left)
}

fn one(rest: &mut &[Token], fields: &[&str]) -> Option<Expression> {
    if take_sign(rest, '(') {
        let inner = either(rest, fields)?;
        return take_sign(rest, ')').then_some(inner);
    }
    let Token::Word(field) = take(rest)? else { return None };
    if !fields.contains(&field.as_str()) {
        return None;
    }
    if take_sign(rest, '=') {
        return text(rest).map(|value| Expression::In(field, vec![value]));
    }
    if !take_word(rest, "in") || !take_sign(rest, '(') {
        return None;
    }
    let mut values = vec![text(rest)?];
    while take_sign(rest, ',') {
        values.push(text(rest)?);
    }
    take_sign(rest, ')').then_some(Expression::In(field, values))
}

fn take(rest: &mut &[Token]) -> Option<Token> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(first.clone())
}

fn text(rest: &mut &[Token]) -> Option<String> {
    match take(rest)? {
        Token::Text(text) => Some(text),
        _ => None,
    }
}

fn take_word(rest: &mut &[Token], word: &str) -> bool {
    let is_it =
        matches!(rest.first(), Some(Token::Word(other)) if other.eq_ignore_ascii_case(word));
    is_it && take(rest).is_some()
}

fn take_sign(rest: &mut &[Token], sign: char) -> bool {
    rest.first() == Some(&Token::Sign(sign)) && take(rest).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_hold_for_the_rows_they_describe() {
        let row = json!({"productKey": "pk 1", "deviceKey": "d'1", "status": "online"});
        let table = [
            ("", Some(true)),
            ("productKey='pk 1'", Some(true)),
            ("productKey = \"pk\"", Some(false)),
            ("deviceKey in ('x', \"d'1\")", Some(true)),
            ("productKey='pk 1' and status='offline'", Some(false)),
            ("productKey='pk 1' and status='offline' or deviceKey=\"d'1\"", Some(true)),
            ("productKey='pk 1' and (status='offline' or status='online')", Some(true)),
            ("secret='x'", None),
            ("productKey='x", None),
            ("productKey=", None),
            ("productKey='x' productKey='x'", None),
        ];
        for (text, wanted) in table {
            let parsed = Expression::parse(text, &["productKey", "deviceKey", "status"]);
            assert_eq!(parsed.map(|it| it.holds(&row)), wanted, "{text}");
        }
    }
}
