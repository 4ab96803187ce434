//! A file that is put aside when it is full and when a day has ended, and removed when it is old.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use domain::{Clock, Timestamp};

const DAY_MICROS: i64 = 86_400_000_000;

/// A file that cannot be put aside is written on; so long after a failure nobody tries again.
const PAUSE_MICROS: i64 = 60_000_000;

/// When a file is put aside and removed.
#[derive(Debug, Clone, Copy)]
pub(in crate::telemetry) struct Rotation {
    /// How large it may become, unless one line is larger.
    pub(in crate::telemetry) most_bytes: u64,
    /// How long it is kept after it was put aside.
    pub(in crate::telemetry) kept: Duration,
}

/// 500 MB a file, ten days.
impl Default for Rotation {
    fn default() -> Self {
        Self { most_bytes: 500_000_000, kept: Duration::from_hours(240) }
    }
}

/// The file that is written now, and those that were.
pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    clock: Arc<dyn Clock>,
    file: File,
    bytes: u64,
    /// The UTC day of the last line.
    day: i64,
    /// Whether the end of the file is part of a line.
    torn: bool,
    /// Before this it is not put aside.
    not_before: i64,
}

impl RotatingFile {
    /// Opens the file, whose lines stay, and removes old ones.
    pub(super) fn open(path: &Path, rotation: Rotation, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let mut file = appended(path)?;
        let bytes = file.metadata()?.len();
        let now = clock.now().unix_micros();
        let day = if bytes == 0 { day_of(now) } else { day_of(modified(&file)?) };
        let torn = bytes != 0 && last_byte(&mut file)? != b'\n';
        let path = path.to_owned();
        let opened = Self { path, rotation, clock, file, bytes, day, torn, not_before: i64::MIN };
        opened.remove_old(now);
        Ok(opened)
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let now = self.clock.now().unix_micros();
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let is_full = self.rotation.most_bytes < self.bytes.saturating_add(length);
        if self.bytes != 0 && (is_full || self.day != day_of(now)) && self.not_before <= now {
            self.put_aside(now);
        }
        if self.torn {
            self.file.write_all(b"\n")?;
            self.bytes += 1;
            self.torn = false;
        }
        // What is left of a line that did not fit must not become the beginning of the next one.
        self.torn = true;
        self.file.write_all(line)?;
        self.torn = false;
        self.bytes += length;
        self.day = day_of(now);
        Ok(())
    }

    fn put_aside(&mut self, now: i64) {
        match self.renamed(now) {
            Ok(file) => {
                self.file = file;
                self.bytes = 0;
                self.torn = false;
                self.not_before = i64::MIN;
                self.remove_old(now);
            }
            Err(error) => {
                self.not_before = now.saturating_add(PAUSE_MICROS);
                tracing::error!(%error, "The log file cannot be put aside, and is written on");
            }
        }
    }

    fn renamed(&self, now: i64) -> io::Result<File> {
        let mut time = now;
        // The clock may stand still, or have been put back.
        while self.put_aside_at(time).exists() {
            time += 1;
        }
        let aside = self.put_aside_at(time);
        match fs::rename(&self.path, &aside) {
            // Somebody else has put it aside.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return appended(&self.path),
            renamed => renamed?,
        }
        appended(&self.path).inspect_err(|_| {
            // Lines go to where the file is, so it had better have its name.
            drop(fs::rename(&aside, &self.path));
        })
    }

    fn put_aside_at(&self, micros: i64) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{}", text_of(micros)));
        PathBuf::from(name)
    }

    /// A file that cannot be removed is met again when the next one is put aside.
    fn remove_old(&self, now: i64) {
        let kept = i64::try_from(self.rotation.kept.as_micros()).unwrap_or(i64::MAX);
        for (path, at) in self.put_aside_before() {
            if at < now.saturating_sub(kept)
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::warn!(%error, "An old log file cannot be removed");
            }
        }
    }

    fn put_aside_before(&self) -> Vec<(PathBuf, i64)> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let Some(name) = self.path.file_name() else { return Vec::new() };
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| Some((entry.path(), time_in(&entry.file_name(), name)?)))
            .collect()
    }
}

/// A time as it is part of a name: without colons, which some file systems mind, and always as long, so that names sort by
/// time.
fn text_of(micros: i64) -> String {
    let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let time = Timestamp::from_unix_micros(seconds * 1_000_000).map(|time| time.to_string());
    let time = time.unwrap_or_default().replace(':', "-");
    format!("{}.{micros:06}Z", time.trim_end_matches('Z'))
}

/// When a file was put aside, if it is one.
fn time_in(candidate: &OsString, name: &OsStr) -> Option<i64> {
    let time = candidate.to_str()?.strip_prefix(name.to_str()?)?.strip_prefix('.')?;
    let (day, time) = time.split_once('T')?;
    let time: Timestamp = format!("{day}T{}", time.replace('-', ":")).parse().ok()?;
    Some(time.unix_micros())
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

fn modified(file: &File) -> io::Result<i64> {
    let since = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    let [last] = last;
    Ok(last)
}

const fn day_of(micros: i64) -> i64 {
    micros.div_euclid(DAY_MICROS)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A clock that somebody sets.
    #[derive(Debug)]
    struct Set(AtomicI64);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_micros(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    struct Given {
        folder: tempfile::TempDir,
        clock: Arc<Set>,
    }

    impl Given {
        /// A folder, some hours after midnight.
        fn new() -> Self {
            let noon = 20_000 * DAY_MICROS + DAY_MICROS / 2;
            let clock = Arc::new(Set(AtomicI64::new(noon)));
            Self { folder: tempfile::tempdir().unwrap(), clock }
        }

        fn later(&self, by: Duration) {
            self.clock.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
        }

        fn open(&self, most_bytes: u64) -> RotatingFile {
            self.open_named("a.log", most_bytes)
        }

        fn open_named(&self, name: &str, most_bytes: u64) -> RotatingFile {
            let rotation = Rotation { most_bytes, kept: Duration::from_hours(240) };
            let path = self.folder.path().join(name);
            RotatingFile::open(&path, rotation, Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
        }

        /// Every file with its content, in the order of names.
        fn files(&self) -> Vec<(String, String)> {
            let mut files: Vec<_> = fs::read_dir(self.folder.path())
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    let name = entry.file_name().into_string().unwrap();
                    (name, fs::read_to_string(entry.path()).unwrap())
                })
                .collect();
            files.sort();
            files
        }

        fn contents(&self) -> Vec<String> {
            self.files().into_iter().map(|(_, content)| content).collect()
        }
    }

    #[test]
    fn a_full_file_is_put_aside() {
        let given = Given::new();
        let mut file = given.open(8);

        for line in ["one\n", "two\n", "three\n", "longer than a file\n", "four\n"] {
            file.write(line.as_bytes()).unwrap();
        }

        // The current one comes first by name.
        assert_eq!(given.contents(), ["four\n", "one\ntwo\n", "three\n", "longer than a file\n"]);
        assert_eq!(given.files()[1].0, "a.log.2024-10-04T12-00-00.000000Z");
    }

    #[test]
    fn a_file_is_put_aside_when_its_day_has_ended() {
        let given = Given::new();
        let mut file = given.open(1_000);

        file.write(b"at noon\n").unwrap();
        given.later(Duration::from_hours(11));
        file.write(b"in the evening\n").unwrap();
        given.later(Duration::from_hours(2));
        file.write(b"the next day\n").unwrap();

        assert_eq!(given.contents(), ["the next day\n", "at noon\nin the evening\n"]);
    }

    #[test]
    fn old_files_are_removed_and_nothing_else() {
        let given = Given::new();
        let other = |name: &str| fs::write(given.folder.path().join(name), "x").unwrap();
        let mut file = given.open(4);
        file.write(b"one\n").unwrap();
        file.write(b"two\n").unwrap();
        other("a.log.2000-01-01T00-00-00Z.gz");
        other("a.log.old");
        other("b.log.2000-01-01T00-00-00Z");
        assert_eq!(given.files().len(), 5);

        given.later(Duration::from_hours(240));
        file.write(b"three\n").unwrap();
        assert_eq!(given.files().len(), 6, "ten days are not more than ten days");
        given.later(Duration::from_secs(1));
        drop(given.open(4));

        let names: Vec<_> = given.files().into_iter().map(|(name, _)| name).collect();
        assert!(!names.iter().any(|name| name.contains("2024-10-04")), "{names:?}");
        assert_eq!(names.len(), 5, "{names:?}");
    }

    #[test]
    fn a_file_is_written_on_after_a_start() {
        let given = Given::new();
        let path = given.folder.path().join("a.log");
        fs::write(&path, "one\nhalf of").unwrap();
        let day = UNIX_EPOCH + Duration::from_hours(24 * 20_000 + 1);
        File::options().write(true).open(&path).unwrap().set_modified(day).unwrap();

        given.open(1_000).write(b"two\n").unwrap();
        assert_eq!(given.contents(), ["one\nhalf of\ntwo\n"]);

        File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        given.open(1_000).write(b"three\n").unwrap();
        assert_eq!(given.contents(), ["three\n", "one\nhalf of\ntwo\n"]);
    }

    #[test]
    fn what_cannot_be_put_aside_is_written_on() {
        let given = Given::new();
        // With the time behind it, the name is longer than a file system takes.
        let mut file = given.open_named(&"x".repeat(250), 4);

        file.write(b"one\n").unwrap();
        file.write(b"two\n").unwrap();

        assert_eq!(given.contents(), ["one\ntwo\n"]);
    }

    #[test]
    fn a_file_that_somebody_has_moved_away_is_begun_anew() {
        let given = Given::new();
        let mut file = given.open(4);
        file.write(b"one\n").unwrap();
        fs::rename(given.folder.path().join("a.log"), given.folder.path().join("b")).unwrap();

        file.write(b"two\n").unwrap();

        assert_eq!(given.contents(), ["two\n", "one\n"]);
    }
}
