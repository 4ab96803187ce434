#![doc = include_str!("../README.md")]

mod style_profiles;

pub use style_profiles::CachedStyleProfiles;
