//! Debian's own tool to make a Debian in a folder, obtained without installing it.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail, ensure};

use crate::services::program::{self, Cancellation};

/// What debootstrap needs and a small machine may lack, besides itself: something to download
/// with, and what it takes to check signatures.
const TOOLS: [&str; 4] = ["debootstrap", "wget", "gpgv", "debian-archive-keyring"];

const KEYRING: &str = "usr/share/keyrings/debian-archive-keyring.gpg";

const DOWNLOAD_LIMIT: Duration = Duration::from_mins(5);

/// Downloading and unpacking takes about a minute. A slow network may need many.
const BUILD_LIMIT: Duration = Duration::from_mins(30);

/// A debootstrap that is ready to run.
pub(super) struct Debootstrap {
    /// A folder with what this machine lacks, laid out like `/`.
    unpacked: PathBuf,
}

impl Debootstrap {
    /// Unpacks into the folder whatever this machine lacks, without installing it.
    pub(super) fn obtain(folder: &Path) -> anyhow::Result<Self> {
        let unpacked = folder.join("unpacked");
        fs::create_dir_all(&unpacked)
            .with_context(|| format!("cannot create {}", unpacked.display()))?;
        let complete = ["debootstrap", "wget", "gpgv"].iter().all(|it| program::find(it).is_some())
            && Path::new("/").join(KEYRING).is_file();
        if !complete {
            let archives = download(folder)?;
            for package in fs::read_dir(archives)? {
                let package = package?.path();
                if package.extension().is_some_and(|extension| extension == "deb") {
                    let mut unpack = program::bound("dpkg-deb");
                    unpack.arg("--extract").arg(package).arg(&unpacked);
                    program::output(&mut unpack, DOWNLOAD_LIMIT, &Cancellation::never())?;
                }
            }
        }
        Ok(Self { unpacked })
    }

    /// Makes a Debian in the folder, from debootstrap's default mirror.
    pub(super) fn run(&self, suite: &str, include: &[&str], folder: &Path) -> anyhow::Result<()> {
        let mut command = isolated();
        let own = self.unpacked.join("usr/sbin/debootstrap");
        if own.is_file() {
            command.arg(own);
            command.env("DEBOOTSTRAP_DIR", self.unpacked.join("usr/share/debootstrap"));
        } else {
            command.arg("debootstrap");
        }
        command.args(["--variant=minbase", &format!("--include={}", include.join(","))]);
        let keyring = self.unpacked.join(KEYRING);
        if keyring.is_file() {
            command.arg("--keyring").arg(keyring);
        }
        command.arg(suite).arg(folder);
        command.env("PATH", self.search_path()?).env("LC_ALL", "C");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        // An unfinished root is never used, so its files need not be synchronised one by one.
        command.env("DPKG_FORCE", "unsafe-io");
        if let Some(libraries) = self.libraries() {
            command.env("LD_LIBRARY_PATH", libraries);
        }

        let outcome = program::output(&mut command, BUILD_LIMIT, &Cancellation::never());
        outcome.map(drop).map_err(|failure| {
            // debootstrap prints what it was about to do; why that failed is in its log.
            let log = fs::read_to_string(folder.join("debootstrap/debootstrap.log"));
            let tail = program::tail(&log.unwrap_or_default());
            anyhow!("{failure:#}\n  and its log ends with\n{tail}")
        })
    }

    /// Behind this machine's own folders, since those programs are complete.
    fn search_path(&self) -> anyhow::Result<OsString> {
        let inherited = env::var_os("PATH").unwrap_or_default();
        let unpacked = ["usr/sbin", "usr/bin", "sbin", "bin"].map(|it| self.unpacked.join(it));
        // What debootstrap runs inside the new root is looked up along the same path.
        let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
        let folders = env::split_paths(&inherited).chain(system).chain(unpacked);
        env::join_paths(folders).context("the cache folder cannot be part of a PATH")
    }

    /// The folders of the libraries that were unpacked along with the tools, if any.
    fn libraries(&self) -> Option<OsString> {
        let parents = ["usr/lib", "lib"].map(|parent| self.unpacked.join(parent));
        let entries = parents.iter().filter_map(|parent| fs::read_dir(parent).ok()).flatten();
        let folders: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            // Debian keeps libraries in a folder per architecture, such as `x86_64-linux-gnu`.
            .filter(|folder| folder.is_dir() && folder.to_string_lossy().contains("-linux-"))
            .collect();
        env::join_paths(&folders).ok().filter(|_| !folders.is_empty())
    }
}

/// Downloads the tools that this machine lacks, with all they depend on, into a folder.
///
/// The lists of packages are downloaded as well, since those of this machine may be missing or
/// outdated, and kept apart from them.
fn download(folder: &Path) -> anyhow::Result<PathBuf> {
    let lists = folder.join("lists");
    let cache = folder.join("cache");
    let archives = cache.join("archives");
    for folder in [&lists, &archives] {
        fs::create_dir_all(folder.join("partial"))?;
    }
    let apt = |arguments: &[&str]| {
        let mut apt = program::bound("apt-get");
        for (option, folder) in [("Dir::State::lists", &lists), ("Dir::Cache", &cache)] {
            let mut setting = OsString::from(format!("{option}="));
            setting.push(folder);
            apt.arg("-o").arg(setting);
        }
        // Nothing is installed, so an installation that is under way need not be waited for; and
        // the user whom apt downloads as cannot write to our folders.
        apt.args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "--quiet"]);
        apt.args(arguments).env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        program::output(&mut apt, DOWNLOAD_LIMIT, &Cancellation::never())
    };

    // One of several sources that fails is no reason to give up: another may have what is needed.
    let updated = apt(&["update", "-o", "APT::Update::Error-Mode=any"]);
    let mut install = vec!["install", "--yes", "--download-only"];
    install.extend(["--no-install-recommends", "--no-upgrade"]);
    install.extend(TOOLS);
    match (apt(&install), updated) {
        (Ok(_), _) => {}
        (Err(failure), Ok(_)) => return Err(failure),
        (Err(failure), Err(earlier)) => bail!("{earlier:#}\n  and then {failure:#}"),
    }
    ensure!(archives.read_dir()?.next().is_some(), "apt-get downloaded nothing");
    Ok(archives)
}

/// A shell whose descendants all end with it, and whose mounts nobody else sees, where the machine
/// can do that. Where it cannot, debootstrap cannot mount anything either.
fn isolated() -> Command {
    const NAMESPACES: [&str; 4] = ["--mount", "--pid", "--fork", "--kill-child"];

    let mut probe = NAMESPACES.to_vec();
    probe.push("true");
    if program::succeeds("unshare", &probe) {
        let mut command = program::bound("unshare");
        command.args(NAMESPACES).arg("sh");
        command
    } else {
        program::bound("sh")
    }
}
