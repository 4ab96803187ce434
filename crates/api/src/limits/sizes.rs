//! How long a URL may be, and how much may be asked in it. Bodies have their own bound, and the HTTP parser its own: a head
//! of 128 KiB and 96 headers.

use crate::problem::{Code, Problem};

/// More parameters than any operation takes, many times over.
const MOST_PARAMETERS: usize = 100;

/// Refuses a URL that is too long, or that asks too much.
pub(crate) fn check(path: &str, query: Option<&str>, most_bytes: usize) -> Result<(), Problem> {
    if most_bytes < path.len() + query.map_or(0, |query| 1 + query.len()) {
        let detail = format!("path and query have at most {most_bytes} bytes");
        return Err(Problem::new(Code::UrlTooLong, detail));
    }
    if query
        .is_some_and(|query| MOST_PARAMETERS <= query.bytes().filter(|&byte| byte == b'&').count())
    {
        let detail = format!("a query has at most {MOST_PARAMETERS} parameters");
        return Err(Problem::new(Code::InvalidParameter, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bytes_and_parameters() {
        let query = vec!["a=1"; 100].join("&");

        assert!(check("/a", None, 2).is_ok());
        assert!(check("/a", Some(""), 3).is_ok());
        assert_eq!(check("/a", Some("b"), 3).unwrap_err().code(), Code::UrlTooLong);
        assert!(check("/a", Some(&query), 1_000).is_ok());
        let more = check("/a", Some(&format!("{query}&a=1")), 1_000).unwrap_err();
        assert_eq!(more.code(), Code::InvalidParameter);
    }
}
