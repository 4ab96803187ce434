//! One pass over a snapshot, for one search or for several, by one thread or by several.

use std::{
    cmp::{Ordering as Order, Reverse},
    collections::BinaryHeap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use domain::{Exactness, Neighbour, Neighbours, Search, SearchFilter, SearchMode};
use numkong::{PackedMatrix, Tensor};
use parking_lot::Mutex;

use super::{
    bits::Bits,
    codes::{DIMENSIONS, dot},
    gauge::{Gauge, WIDTH},
    question::Question,
    shortlist::{Candidate, Score, Shortlist},
    snapshot::{Piece, Snapshot},
};

/// So many rows are looked at between two looks at what else there is to do.
const CHUNK: usize = 2_048;

/// So many rows are multiplied with all questions at once.
const BLOCK: usize = 256;

/// From so many questions on, multiplying them together is faster than one by one.
pub(super) const TOGETHER: usize = 4;

/// A pass: its questions, and how far it is.
pub(super) struct Pass {
    snapshot: Arc<Snapshot>,
    questions: Vec<Question>,
    /// All questions' codes, if there are so many that they are multiplied together.
    packed: Option<PackedMatrix<i8>>,
    filters: Vec<SearchFilter>,
    /// Who is looked at, by piece and filter.
    admitted: Vec<OnceLock<Arc<Bits>>>,
    chunks: Vec<Chunk>,
    next: AtomicUsize,
    finished: AtomicUsize,
    /// What those found who have finished.
    found: Mutex<Vec<Shortlist>>,
}

/// Rows of one piece.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    piece: usize,
    from: usize,
    to: usize,
}

impl Pass {
    /// A pass over a snapshot. Questions are multiplied together only if it `multiplies` at all.
    pub(super) fn new(snapshot: Arc<Snapshot>, searches: Vec<Search>, multiplies: bool) -> Self {
        let mut filters: Vec<SearchFilter> = Vec::new();
        let mut questions = Vec::with_capacity(searches.len());
        for search in searches {
            let known = filters.iter().position(|filter| *filter == search.filter);
            let filter = known.unwrap_or_else(|| {
                filters.push(search.filter.clone());
                filters.len() - 1
            });
            questions.push(Question::new(search, filter));
        }
        let chunks = snapshot
            .pieces
            .iter()
            .enumerate()
            .flat_map(|(piece, Piece { segment, .. })| {
                let rows = segment.len();
                let chunk = move |from| Chunk { piece, from, to: rows.min(from + CHUNK) };
                (0..rows).step_by(CHUNK).map(chunk)
            })
            .collect();
        let masks = snapshot.pieces.len() * filters.len();
        Self {
            packed: multiplies.then(|| packed(&questions)).flatten(),
            admitted: (0..masks).map(|_| OnceLock::new()).collect(),
            found: Mutex::new(shortlists(&questions)),
            next: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            snapshot,
            questions,
            filters,
            chunks,
        }
    }

    /// Looks at chunks until there are none left or it `is_to_end`. Returns `true` to the one after whom all
    /// chunks have been looked at.
    pub(super) fn take_part(&self, is_to_end: impl Fn() -> bool) -> bool {
        let mut own = shortlists(&self.questions);
        let mut block = Block::new(&self.questions);
        let mut done = 0;
        while !is_to_end() {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(next) else { break };
            self.look_at(*chunk, &mut own, &mut block);
            done += 1;
        }
        if done == 0 {
            return self.chunks.is_empty();
        }
        for (all, own) in self.found.lock().iter_mut().zip(own) {
            all.join(own);
        }
        done + self.finished.fetch_add(done, Ordering::AcqRel) == self.chunks.len()
    }

    /// The answers, in the order of the questions, once all chunks have been looked at.
    pub(super) fn answers(&self) -> Vec<Neighbours> {
        let found = std::mem::take(&mut *self.found.lock());
        let answer = |(question, list): (&Question, Shortlist)| Neighbours {
            neighbours: self.closest(question, &list.into_candidates()),
            exactness: Exactness {
                mode: SearchMode::Exact,
                compared: self.compared(question),
                as_of: self.snapshot.applied,
            },
        };
        self.questions.iter().zip(found).map(answer).collect()
    }

    fn look_at(&self, chunk: Chunk, found: &mut [Shortlist], block: &mut Option<Block>) {
        let Some(piece) = self.snapshot.pieces.get(chunk.piece) else { return };
        let from = match (&self.packed, block) {
            (Some(packed), Some(block)) => self.look_at_blocks(chunk, piece, found, packed, block),
            (None, _) | (_, None) => chunk.from,
        };
        if from < chunk.to {
            self.look_at_rows(Chunk { from, ..chunk }, piece, found);
        }
    }

    fn look_at_rows(&self, chunk: Chunk, piece: &Piece, found: &mut [Shortlist]) {
        let (codes, measures) = (piece.segment.codes(), piece.segment.measures());
        for (question, list) in self.questions.iter().zip(found) {
            let Some(admitted) = self.admitted(chunk.piece, question) else { continue };
            for row in admitted.within(chunk.from, chunk.to) {
                let (Some(codes), Some(measures)) = (codes.get(row), measures.get(row)) else {
                    continue;
                };
                let interval = question.interval(dot(&question.codes, codes), *measures);
                if list.threshold() <= interval.upper {
                    list.offer(interval, place(chunk.piece, row));
                }
            }
        }
    }

    /// Looks at rows with all questions together, block by block. Returns the first row that is left, if any is.
    fn look_at_blocks(
        &self,
        chunk: Chunk,
        piece: &Piece,
        found: &mut [Shortlist],
        packed: &PackedMatrix<i8>,
        block: &mut Block,
    ) -> usize {
        let admitted: Option<Vec<_>> =
            self.questions.iter().map(|question| self.admitted(chunk.piece, question)).collect();
        let (codes, measures) = (piece.segment.codes(), piece.segment.measures());
        let rows = codes.get(chunk.from..chunk.to).zip(measures.get(chunk.from..chunk.to));
        let (Some(admitted), Some((codes, measures))) = (admitted, rows) else { return chunk.from };

        let mut row = chunk.from;
        for (codes, measures) in codes.chunks(BLOCK).zip(measures.chunks(BLOCK)) {
            let Some((products, gauge)) = block.multiply(codes.as_flattened(), packed) else {
                return row;
            };
            for (dots, measures) in products.chunks(block_width(&self.questions)).zip(measures) {
                let terms = gauge.terms(*measures);
                for (lane, dots) in dots.as_chunks().0.iter().enumerate() {
                    if !gauge.passes(lane, dots, terms) {
                        continue;
                    }
                    let lane = lane * WIDTH..self.questions.len().min((lane + 1) * WIDTH);
                    for (index, &dot) in lane.zip(dots) {
                        let (Some(question), Some(list), Some(admitted)) =
                            (self.questions.get(index), found.get_mut(index), admitted.get(index))
                        else {
                            continue;
                        };
                        let interval = question.interval(dot, *measures);
                        if list.threshold() <= interval.upper && admitted.is_set(row) {
                            list.offer(interval, place(chunk.piece, row));
                            gauge.raise(index, list.threshold());
                        }
                    }
                }
                row += 1;
            }
        }
        row
    }

    /// The rows of a piece that a question looks at.
    fn admitted(&self, piece: usize, question: &Question) -> Option<&Arc<Bits>> {
        let filter = self.filters.get(question.filter)?;
        let Piece { segment, live } = self.snapshot.pieces.get(piece)?;
        let admitted = self.admitted.get(piece * self.filters.len() + question.filter)?;
        Some(admitted.get_or_init(|| {
            if filter.is_empty() {
                return Arc::clone(live);
            }
            let mut rows = live.as_ref().clone();
            segment.facts().sift(filter, &mut rows);
            Arc::new(rows)
        }))
    }

    /// How many rows a question looked at.
    fn compared(&self, question: &Question) -> u64 {
        let pieces = 0..self.snapshot.pieces.len();
        let rows = pieces.filter_map(|piece| self.admitted(piece, question));
        u64::try_from(rows.map(|rows| rows.count()).sum::<usize>()).unwrap_or(u64::MAX)
    }

    /// The closest of these by their exact score. They come in the order of how high they may score, so the first that
    /// cannot reach the last of the closest is the end.
    fn closest(&self, question: &Question, candidates: &[Candidate]) -> Vec<Neighbour> {
        let search = &question.search;
        let wanted = usize::from(search.limit.get());
        // The scores of the closest so far, the lowest of them on top.
        let mut scores = BinaryHeap::with_capacity(wanted + 1);
        let mut closest = Vec::new();
        for candidate in candidates {
            if wanted <= scores.len()
                && let Some(Reverse(Score(lowest))) = scores.peek()
                && candidate.upper < *lowest
            {
                break;
            }
            let (piece, row) = candidate.place;
            let (piece, row) = (piece as usize, row as usize);
            let Some(Piece { segment, .. }) = self.snapshot.pieces.get(piece) else { continue };
            let (Some(name), Some(numbers), Some(measures)) =
                (segment.name(row), segment.numbers(row), segment.measures().get(row))
            else {
                continue;
            };
            if search.except.contains(name.key()) {
                continue;
            }
            let (target, length) = (search.target.numbers(), question.measures.length);
            let score = search.metric.score_of(target, length, numbers, measures.length);
            scores.push(Reverse(Score(score)));
            if wanted < scores.len() {
                scores.pop();
            }
            closest.push((score, name));
        }
        closest.sort_unstable_by(|(one, its_name), (other, other_name)| {
            let by_score = other.partial_cmp(one).unwrap_or(Order::Equal);
            by_score.then_with(|| its_name.key().cmp(other_name.key()))
        });
        closest.truncate(wanted);
        closest.into_iter().map(|(score, name)| Neighbour { artist: name.clone(), score }).collect()
    }
}

fn shortlists(questions: &[Question]) -> Vec<Shortlist> {
    questions.iter().map(|question| Shortlist::new(question.rows())).collect()
}

/// A piece of the snapshot and a row in it, of which there are fewer than 2^32.
fn place(piece: usize, row: usize) -> (u32, u32) {
    (u32::try_from(piece).unwrap_or(u32::MAX), u32::try_from(row).unwrap_or(u32::MAX))
}

/// How many products each row has in a block: a whole number of lanes.
fn block_width(questions: &[Question]) -> usize {
    questions.len().next_multiple_of(WIDTH)
}

/// The codes of questions, arranged for being multiplied together.
fn packed(questions: &[Question]) -> Option<PackedMatrix<i8>> {
    if questions.len() < TOGETHER {
        return None;
    }
    let width = block_width(questions);
    let mut codes: Vec<i8> = questions.iter().flat_map(|question| question.codes).collect();
    codes.resize(width * DIMENSIONS, 0);
    let matrix = Tensor::<i8>::try_from_slice(&codes, &[width, DIMENSIONS]).ok()?;
    PackedMatrix::try_pack(&matrix).ok()
}

/// Where a thread multiplies rows with questions.
struct Block {
    rows: Tensor<i8>,
    products: Tensor<i32>,
    gauge: Gauge,
}

impl Block {
    /// None if there are so few questions, or so different ones, that they are better asked one by one.
    fn new(questions: &[Question]) -> Option<Self> {
        if questions.len() < TOGETHER {
            return None;
        }
        Some(Self {
            rows: Tensor::try_zeros(&[BLOCK, DIMENSIONS]).ok()?,
            products: Tensor::try_zeros(&[BLOCK, block_width(questions)]).ok()?,
            gauge: Gauge::of(questions)?,
        })
    }

    /// The products of rows with all questions, row by row. Behind the last row follows what is of no interest.
    fn multiply(
        &mut self,
        codes: &[i8],
        packed: &PackedMatrix<i8>,
    ) -> Option<(&[i32], &mut Gauge)> {
        self.rows.as_mut_slice().get_mut(..codes.len())?.copy_from_slice(codes);
        self.rows.try_dots_packed_into(packed, &mut self.products).ok()?;
        Some((self.products.as_slice(), &mut self.gauge))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use domain::{
        ArtistName, Confidence, DrumFeel, Embedding, Limit, QuantitativeParams, ResearchStatus,
        StyleVector, VectorChange, Version,
    };

    use super::*;
    use crate::similar_artists::{segment::Ledger, writer::Writer};

    fn embedding(number: u16) -> Embedding {
        let numbers = (0..384_u16).map(|at| f32::from(at * number % 101) - 50.0);
        Embedding::try_from(numbers.collect::<Vec<_>>()).unwrap()
    }

    fn change(number: u16) -> VectorChange {
        let feel = DrumFeel {
            tempo_min: 80.0,
            tempo_max: 100.0,
            tempo_avg: 92.0,
            swing_percent: 56.5,
            ghost_note_prob: 0.4,
            syncopation_level: 0.55,
            velocity_mean: 78.25,
            velocity_std: 18.0,
        };
        VectorChange::Present {
            version: Version::new(number.into()),
            artist: ArtistName::try_from(format!("Artist {number}").as_str()).unwrap(),
            vector: StyleVector {
                embedding: embedding(number),
                research_status: ResearchStatus::Cached,
                confidence: Confidence::try_from(0.5).unwrap(),
                quantitative_params: QuantitativeParams::try_from(feel).unwrap(),
            },
        }
    }

    /// So many pieces, each of which holds the same few artists.
    pub(in crate::similar_artists) fn snapshot(pieces: usize) -> Arc<Snapshot> {
        let mut writer = Writer::new(1 << 30, 0, &Ledger::default());
        assert!(writer.apply((1..50).map(change).collect(), |_| None).is_ok());
        let mut snapshot = writer.snapshot();
        snapshot.pieces = snapshot.pieces.iter().cycle().take(pieces).cloned().collect();
        Arc::new(snapshot)
    }

    /// A search for those who are closest to an artist.
    pub(in crate::similar_artists) fn around(number: u16) -> Search {
        Search::around(embedding(number), Limit::new(7).unwrap())
    }

    #[test]
    fn answers_are_the_same_without_multiplying_questions_together() {
        let answers = |multiplies| {
            let pass = Pass::new(snapshot(2), (1..=9).map(around).collect(), multiplies);
            assert_eq!(pass.packed.is_some(), multiplies);
            assert!(pass.take_part(|| false));
            pass.answers()
        };

        assert_eq!(answers(true), answers(false));
    }
}
