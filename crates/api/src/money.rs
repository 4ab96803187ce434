//! Money as an exact JSON number, never through binary fractions.

use domain::{Cost, Money};
use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;

use crate::json::Node;

/// A sum of US dollars to write.
#[derive(Debug, Clone, Copy)]
pub struct Dollars(pub Money);

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Reads what a generation cost.
#[must_use]
pub fn read_cost(node: &Node<'_>) -> Option<Cost> {
    node.checked(node.decimal()?.parse::<Cost>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read;

    #[test]
    fn keeps_every_digit_both_ways() {
        for (text, written) in [
            ("0.1", "0.1"),
            ("0.000000001", "0.000000001"),
            ("999999.123456789", "999999.123456789"),
            ("1.5e-3", "0.0015"),
            ("3.00", "3"),
        ] {
            let cost = read(text.as_bytes(), read_cost).unwrap();

            assert_eq!(serde_json::to_string(&Dollars(cost.into())).unwrap(), written);
        }
    }

    #[test]
    fn refuses_what_is_no_sum() {
        for (text, told) in [
            ("\"0.1\"", "must be a number, not a string"),
            ("-1", "a cost must not be negative"),
            ("0.0000000001", "a cost has at most nine decimals"),
            ("1e300", "a cost is at most 1000000 dollars"),
        ] {
            let refused = read(text.as_bytes(), read_cost).unwrap_err();

            assert_eq!(refused.to_string(), told);
        }
    }
}
