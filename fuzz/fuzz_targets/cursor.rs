//! A token is one that a listing made, or it is refused.

#![no_main]

use domain::{ApiKeyCursor, ArtistCursor, AuditCursor, HistoryCursor, SourceCursor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &str| {
    if let Ok(cursor) = ArtistCursor::parse(token) {
        assert_eq!(cursor.encode(), token);
    }
    if let Ok(cursor) = HistoryCursor::parse(token) {
        assert_eq!(cursor.encode(), token);
    }
    if let Ok(cursor) = SourceCursor::parse(token) {
        assert_eq!(cursor.encode(), token);
    }
    if let Ok(cursor) = ApiKeyCursor::parse(token) {
        assert_eq!(cursor.encode(), token);
    }
    if let Ok(cursor) = AuditCursor::parse(token) {
        assert_eq!(cursor.encode(), token);
    }
});
