//! Where an export goes.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// A place to write to. What it holds before the end is of no use to anybody, so a file is only put in place by
/// [`Self::keep`]; dropped without, it is as it was.
pub enum Target {
    /// A file, written beside its place.
    File {
        /// What is written so far.
        temporary: BufWriter<NamedTempFile>,
        /// Its place.
        place: PathBuf,
    },
    /// Something that cannot be replaced, such as a pipe or a terminal.
    Stream(BufWriter<Box<dyn Write + Send>>),
}

impl Target {
    /// Opens a place; `-` is standard output. A file that exists will be replaced and keeps its permissions.
    ///
    /// # Errors
    ///
    /// When the place cannot be written to.
    pub fn open(place: &Path) -> io::Result<Self> {
        if place == Path::new("-") {
            return Ok(Self::stream(io::stdout()));
        }
        let existing = match fs::metadata(place) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match existing {
            Some(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            // A device or a pipe is written to, never replaced.
            Some(metadata) if !metadata.is_file() => {
                Ok(Self::stream(File::options().write(true).open(place)?))
            }
            // A link stays a link.
            Some(metadata) => Self::file(fs::canonicalize(place)?, Some(metadata.permissions())),
            None => Self::file(place.to_owned(), None),
        }
    }

    /// Whether nothing is in its place before the end.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Stream(_) => false,
        }
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    ///
    /// When the disk is full, or the place has gone.
    pub fn keep(self) -> io::Result<()> {
        match self {
            Self::File { temporary, place } => {
                let temporary = temporary.into_inner().map_err(io::IntoInnerError::into_error)?;
                temporary.as_file().sync_all()?;
                temporary.persist(place).map_err(|error| error.error)?;
                Ok(())
            }
            Self::Stream(mut stream) => stream.flush(),
        }
    }

    fn stream(stream: impl Write + Send + 'static) -> Self {
        Self::Stream(BufWriter::new(Box::new(stream)))
    }

    fn file(place: PathBuf, permissions: Option<Permissions>) -> io::Result<Self> {
        let folder = match place.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".groovebase-export-");
        // Without this, only the owner may read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder.tempfile_in(folder)?;
        if let Some(permissions) = permissions {
            temporary.as_file().set_permissions(permissions)?;
        }
        Ok(Self::File { temporary: BufWriter::with_capacity(1 << 18, temporary), place })
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File { temporary, .. } => temporary.write(bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File { temporary, .. } => temporary.flush(),
            Self::Stream(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn replaces_a_file_only_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("all.jsonl");
        fs::write(&place, "before").unwrap();

        let mut dropped = Target::open(&place).unwrap();
        dropped.write_all(b"half").unwrap();
        dropped.flush().unwrap();
        drop(dropped);
        assert_eq!(fs::read(&place).unwrap(), b"before");
        let mut kept = Target::open(&place).unwrap();
        kept.write_all(b"after").unwrap();
        kept.keep().unwrap();

        assert_eq!(fs::read(&place).unwrap(), b"after");
        assert_eq!(names(folder.path()), ["all.jsonl"]);
    }

    #[test]
    fn writes_to_a_device_without_replacing_it() {
        let mut null = Target::open(Path::new("/dev/null")).unwrap();
        null.write_all(b"gone").unwrap();
        null.keep().unwrap();

        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn refuses_a_folder() {
        let folder = tempfile::tempdir().unwrap();

        let error = Target::open(folder.path()).err().unwrap();

        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
