//! The scripts that never let an older value replace a newer one, whichever arrives last.
//!
//! Both take the one key they work on. What is compared are the first 14 bytes of an envelope: magic, format and codec in
//! six, and the version as a big-endian number in eight.

use std::sync::LazyLock;

/// Whether what is kept has the format and codec of `given` and a newer version than `given`. Bytes are compared as
/// numbers, since Lua compares texts by the server's locale. A key that holds no string counts as nothing.
const IS_NEWER: &str = "
local function kept_is_newer(given)
    local kept = redis.pcall('GETRANGE', KEYS[1], 0, 13)
    if type(kept) ~= 'string' or #kept < 14 or kept:sub(1, 6) ~= given:sub(1, 6) then
        return false
    end
    for at = 7, 14 do
        local mine, theirs = kept:byte(at), given:byte(at)
        if mine ~= theirs then return mine > theirs end
    end
    return false
end
";

/// Stores an envelope for so many milliseconds unless what is kept is newer, and answers whether it did. What is as new
/// is written again, so that it is whole afterwards.
pub(crate) static PUT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{IS_NEWER}
        if kept_is_newer(ARGV[1]) then return 0 end
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return 1"
    )
});

/// Deletes unless what is kept is newer than the envelope that begins with these bytes.
pub(crate) static FORGET: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{IS_NEWER}
        if kept_is_newer(ARGV[1]) then return 0 end
        return redis.call('DEL', KEYS[1])"
    )
});
