//! Memory for many numbers, on huge pages where the system has them.

use bytemuck::Pod;
use memmap2::MmapMut;

/// The size of a huge page, to which large rooms are aligned.
const HUGE_PAGE: usize = 2 << 20;

/// The size of a page: what a mapping takes is a multiple of it.
const PAGE: usize = 4 << 10;

/// A fixed number of numbers.
///
/// A scan reads rooms from end to end; on huge pages it seldom has to look up where a page lies.
pub(super) struct Room<T> {
    place: Place<T>,
}

enum Place<T> {
    Heap(Box<[T]>),
    /// From this byte of the mapping on, for so many bytes.
    Mapped {
        mapping: MmapMut,
        begins: usize,
        bytes: usize,
    },
}

impl<T: Pod> Room<T> {
    /// A room for so many numbers, which `fill` writes; they are 0 before.
    pub(super) fn filled(length: usize, fill: impl FnOnce(&mut [T])) -> Self {
        let mut room = Self::mapped(length).unwrap_or_else(|| Self {
            place: Place::Heap(vec![T::zeroed(); length].into_boxed_slice()),
        });
        fill(room.numbers_mut());
        room
    }

    /// A room outside of the heap, if it is large and the system gives it.
    fn mapped(length: usize) -> Option<Self> {
        let bytes = length.checked_mul(size_of::<T>())?;
        if bytes < HUGE_PAGE {
            return None;
        }
        // What lies before the first huge page and behind the last is never touched, so it takes no memory.
        let mapping = MmapMut::map_anon(bytes.checked_add(HUGE_PAGE)?).ok()?;
        let begins = mapping.as_ptr().align_offset(HUGE_PAGE);
        bytemuck::try_cast_slice::<u8, T>(mapping.get(begins..begins.checked_add(bytes)?)?).ok()?;
        #[cfg(target_os = "linux")]
        {
            // The last pages are small ones, or they would take more memory than there are numbers.
            let on_huge_pages = bytes - bytes % HUGE_PAGE;
            let advised = mapping.advise_range(memmap2::Advice::HugePage, begins, on_huge_pages);
            if let Err(error) = advised {
                tracing::debug!(%error, "No huge pages; searches take a little longer");
            }
        }
        Some(Self { place: Place::Mapped { mapping, begins, bytes } })
    }

    /// The numbers.
    pub(super) fn numbers(&self) -> &[T] {
        match &self.place {
            Place::Heap(numbers) => numbers,
            Place::Mapped { mapping, begins, bytes } => mapping
                .get(*begins..begins + bytes)
                .and_then(|bytes| bytemuck::try_cast_slice(bytes).ok())
                .unwrap_or_default(),
        }
    }

    fn numbers_mut(&mut self) -> &mut [T] {
        match &mut self.place {
            Place::Heap(numbers) => numbers,
            Place::Mapped { mapping, begins, bytes } => mapping
                .get_mut(*begins..*begins + *bytes)
                .and_then(|bytes| bytemuck::try_cast_slice_mut(bytes).ok())
                .unwrap_or_default(),
        }
    }

    /// How many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        match &self.place {
            Place::Heap(numbers) => size_of_val::<[T]>(numbers),
            Place::Mapped { bytes, .. } => bytes.next_multiple_of(PAGE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_written_wherever_it_lies() {
        for length in [0, 1, 1_000, HUGE_PAGE / 4, HUGE_PAGE / 4 + 1_001] {
            let numbers: Vec<f32> = (0..=u16::MAX).cycle().take(length).map(f32::from).collect();

            let room = Room::filled(length, |room: &mut [f32]| {
                assert!(room.iter().all(|&number| number == 0.0));
                room.copy_from_slice(&numbers);
            });

            assert_eq!(room.numbers(), numbers);
            assert!((4 * length..4 * length + PAGE).contains(&room.bytes()));
        }
    }

    #[test]
    fn large_rooms_begin_at_a_huge_page() {
        let room = Room::filled(HUGE_PAGE + 5, |_: &mut [i8]| {});

        assert!(matches!(room.place, Place::Mapped { .. }));
        assert_eq!(room.numbers().as_ptr().align_offset(HUGE_PAGE), 0);
    }
}
