//! What the service can do, request by request.

use std::{
    io::{self, Write},
    time::Duration,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    answer::Answer,
    client::{Client, Request, Response},
};

const PROFILE: &str = r#"{
    "text_description": "Brushes on a snare, a little late.",
    "quantitative_params": {
        "tempo_min": 70, "tempo_max": 120, "tempo_avg": 92, "swing_percent": 58,
        "ghost_note_prob": 0.3, "syncopation_level": 0.4, "velocity_mean": 64, "velocity_std": 12
    },
    "confidence_score": 0.4
}"#;

const WRONG_PROFILE: &str =
    r#"{"text_description": "", "quantitative_params": [], "confidence": 0.4}"#;

const LIKE_UNLIKE: &str = r#"{
    "like": ["Tony Allen", "Zigaboo Modeliste"], "unlike": ["John Bonham"], "limit": 2,
    "filter": {"swing_percent": {"from": 50, "to": 60}}
}"#;

const BATCH: &str = r#"{"artists": ["Elvin Jones", "Tony Alen"], "limit": 1}"#;

const SOURCE: &str = r#"{
    "source_type": "article", "url": "https://example.org/dilla",
    "extracted_data": {"swing_percent": 58}, "confidence": 0.7
}"#;

const GENERATION: &str = r#"{
    "artist": "J Dilla", "provider_used": "anthropic", "generation_time_ms": 1840, "tokens_used": 912,
    "cost_usd": 0.0123, "user_params": {"bars": 8, "bpm": 92}, "output_files": ["dilla-1.mid"]
}"#;

const MORE_GENERATIONS: &str = r#"[
    {"artist": "J Dilla", "provider_used": "openai", "generation_time_ms": 2310, "user_params": {"bars": 4}},
    {"provider_used": "anthropic", "generation_time_ms": 1655, "cost_usd": 0.0117, "user_params": {"bars": 2}}
]"#;

/// A walk through every capability. What is shown is what the service answered.
pub(super) struct Tour<'a> {
    client: &'a Client,
    output: &'a mut (dyn Write + Send),
    chapters: u32,
    requests: u32,
}

/// How much of an answer is shown.
#[derive(Clone, Copy)]
enum Show {
    Body,
    Size,
}

impl<'a> Tour<'a> {
    pub(super) fn new(client: &'a Client, output: &'a mut (dyn Write + Send)) -> Self {
        Self { client, output, chapters: 0, requests: 0 }
    }

    /// Walks to the end and returns how many requests were made.
    pub(super) async fn walk(mut self) -> Result<u32, TourError> {
        self.profiles().await?;
        self.similar_artists().await?;
        self.writing().await?;
        self.sources().await?;
        self.finding().await?;
        self.generations().await?;
        self.failures().await?;
        self.operations().await?;
        Ok(self.requests)
    }

    async fn profiles(&mut self) -> Result<(), TourError> {
        self.chapter(
            "How somebody plays",
            "A profile, in words and numbers; and once more with the tag it came with.",
        )?;
        let profile = artist("J Dilla", "/profile");
        let response = self.ask(200, Request::get(&profile)).await?;
        let tag = response.etag.unwrap_or_default();
        self.ask(304, Request::get(&profile).with("If-None-Match", tag)).await?;

        self.chapter(
            "Names as people type them",
            "Case, spaces and Unicode forms do not matter; any script will do.",
        )?;
        self.ask(200, Request::get(artist("j  dilla", ""))).await?;
        self.ask(200, Request::get(artist("高橋幸宏", "/profile?include=embedding"))).await?;
        Ok(())
    }

    async fn similar_artists(&mut self) -> Result<(), TourError> {
        self.chapter(
            "Artists who play alike",
            "By the angle between embeddings; 1 is the same direction.",
        )?;
        for name in ["Tony Allen", "John Bonham", "J Dilla"] {
            let target = format!("/api/v1/similar/{}?limit=3", encoded(name));
            self.ask(200, Request::get(target)).await?;
        }

        self.chapter(
            "Who plays alike, and how",
            "Only those near a tempo, with what differs; then like some and unlike others; then several at once.",
        )?;
        let target = format!(
            "/api/v1/similar/{}?limit=1&tempo_avg=80..110&min_confidence=0.5&explain=true",
            encoded("Clyde Stubblefield")
        );
        self.ask(200, Request::get(target)).await?;
        self.ask(200, Request::post("/api/v1/similar", LIKE_UNLIKE)).await?;
        self.ask(200, Request::post("/api/v1/similar/batch", BATCH)).await?;
        Ok(())
    }

    async fn writing(&mut self) -> Result<(), TourError> {
        self.chapter(
            "Saving a profile",
            "The artist is made if new. A change can insist on the version it has seen; this one saw another.",
        )?;
        let target = artist("Ada Example", "/profile");
        let response = self.ask(201, Request::put(&target, PROFILE)).await?;
        let tag = response.etag.unwrap_or_default();
        self.ask(412, Request::delete(&target).with("If-Match", "\"1\"")).await?;
        self.ask(204, Request::delete(&target).with("If-Match", tag)).await?;
        Ok(())
    }

    async fn sources(&mut self) -> Result<(), TourError> {
        self.chapter("What a profile rests on", "Papers, articles, recordings and MIDI files.")?;
        let target = artist("J Dilla", "/sources");
        self.ask(201, Request::post(&target, SOURCE)).await?;
        self.ask(200, Request::get(format!("{target}?type=article"))).await?;
        Ok(())
    }

    async fn finding(&mut self) -> Result<(), TourError> {
        self.chapter(
            "Finding artists",
            "By part of a name, without its diacritics; and page by page.",
        )?;
        self.ask(200, Request::get("/api/v1/artists?q=ostrom")).await?;
        self.ask(200, Request::get("/api/v1/artists?status=cached&limit=2")).await?;
        Ok(())
    }

    async fn generations(&mut self) -> Result<(), TourError> {
        self.chapter(
            "Accounting for generations",
            "One, sent twice and counted once thanks to its key; then many at once, and the history.",
        )?;
        let target = "/api/v1/generations";
        let keyed = Request::post(target, GENERATION).with("Idempotency-Key", "take-1");
        let first = self.ask(201, keyed.clone()).await?;
        self.ask(201, keyed).await?;
        self.ask(201, Request::post(target, MORE_GENERATIONS)).await?;
        self.ask(200, Request::get(artist("J Dilla", "/history?limit=1"))).await?;

        self.chapter(
            "What they took",
            "Costs are exact. All of it; and since the first of them, by provider and by the days of Tokyo.",
        )?;
        self.ask(200, Request::get("/api/v1/stats")).await?;
        let since = created_at(&first.text);
        let series = "/api/v1/stats/series?bucket=day&tz=Asia/Tokyo&group_by=provider";
        self.ask(200, Request::get(format!("{series}&from={since}"))).await?;
        Ok(())
    }

    async fn failures(&mut self) -> Result<(), TourError> {
        self.chapter(
            "When something is wrong",
            "A problem document says what: the nearest names, or each place in the body.",
        )?;
        self.ask(404, Request::get(artist("Tony Alen", "/profile"))).await?;
        self.ask(400, Request::put(artist("Ada Example", "/profile"), WRONG_PROFILE)).await?;
        Ok(())
    }

    async fn operations(&mut self) -> Result<(), TourError> {
        self.chapter("Running it", "Health and metrics for machines; the description of every operation at /docs for people.")?;
        self.ask(200, Request::get("/health")).await?;
        self.show(200, Request::get("/metrics"), Show::Size).await?;
        self.show(200, Request::get("/openapi.json"), Show::Size).await?;
        self.show(200, Request::get("/docs/"), Show::Size).await?;
        Ok(())
    }

    fn chapter(&mut self, title: &str, about: &str) -> io::Result<()> {
        self.chapters += 1;
        writeln!(self.output, "\n{}. {title}\n   {about}", self.chapters)
    }

    async fn ask(&mut self, expected: u16, request: Request) -> Result<Response, TourError> {
        self.show(expected, request, Show::Body).await
    }

    async fn show(
        &mut self,
        expected: u16,
        request: Request,
        show: Show,
    ) -> Result<Response, TourError> {
        writeln!(self.output, "\n{}", indented("$ ", &request.curl(self.client.origin())))?;
        let told = request.to_string();
        let response = match self.client.send(request).await {
            Ok(response) => response,
            Err(source) => {
                return Err(TourError::NoAnswer { request: told, source: Box::new(source) });
            }
        };
        self.requests += 1;

        let Response { status, reason, etag, text, took } = &response;
        let tag = etag.as_ref().map(|tag| format!(", ETag: {tag}")).unwrap_or_default();
        writeln!(self.output, "   {status} {reason}, {}{tag}", milliseconds(*took))?;
        match (show, Answer::read(text)) {
            _ if text.is_empty() => {}
            (Show::Body, Ok(answer)) => {
                writeln!(self.output, "{}", indented("", &answer.to_string()))?;
            }
            (Show::Body | Show::Size, _) => writeln!(self.output, "   … {} bytes", text.len())?,
        }
        if *status == expected {
            Ok(response)
        } else {
            Err(TourError::Unexpected { request: told, expected, found: *status })
        }
    }
}

/// Why a tour ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TourError {
    /// The service did not answer.
    #[error("{request} was not answered")]
    NoAnswer {
        /// Which request.
        request: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The service answered something else than it should.
    #[error("{request} was answered with {found}, not with {expected}")]
    Unexpected {
        /// Which request.
        request: String,
        /// The status code that belongs there.
        expected: u16,
        /// The status code that came.
        found: u16,
    },
    /// What was answered cannot be shown.
    #[error("cannot write the answers down")]
    Output(#[from] io::Error),
}

fn artist(name: &str, rest: &str) -> String {
    format!("/api/v1/artists/{}{rest}", encoded(name))
}

fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// When a generation was made, as the answer to recording it says. Nothing where that is not to be found, which the
/// service refuses.
fn created_at(generation: &str) -> String {
    let generation: serde_json::Value = serde_json::from_str(generation).unwrap_or_default();
    generation.get("created_at").and_then(|time| time.as_str()).unwrap_or_default().to_owned()
}

/// Text that begins with `first`, all of it set in.
fn indented(first: &str, text: &str) -> String {
    format!("   {first}{}", text.replace('\n', "\n   "))
}

fn milliseconds(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1_000.0)
}
