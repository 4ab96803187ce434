//! What an answer took, for whoever looks at it in a browser.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::freshness::X_CACHE;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Tells the whole time, the part of it that the database took if that is known, and which cache answered if one was asked.
pub(super) fn tell(headers: &mut HeaderMap, total: Duration, database: Option<Duration>) {
    let mut parts = vec![format!("total;dur={}", milliseconds(total))];
    if let Some(database) = database {
        parts.push(format!("db;dur={}", milliseconds(database)));
    }
    if let Some(tier) = headers.get(X_CACHE).and_then(|tier| tier.to_str().ok()) {
        parts.push(format!("cache;desc=\"{tier}\""));
    }
    if let Ok(timing) = HeaderValue::from_str(&parts.join(", ")) {
        headers.insert(SERVER_TIMING, timing);
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(database: Option<Duration>, tier: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(tier) = tier {
            headers.insert(X_CACHE, HeaderValue::from_static(tier));
        }
        tell(&mut headers, Duration::from_micros(1_500), database);
        headers.get(SERVER_TIMING).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn tells_what_is_known() {
        assert_eq!(told(None, None), "total;dur=1.500");
        assert_eq!(
            told(Some(Duration::from_nanos(1_250)), Some("database")),
            "total;dur=1.500, db;dur=0.001, cache;desc=\"database\""
        );
    }
}
