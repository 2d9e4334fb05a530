//! Numbers from a seed: the same fleet every time.

/// Returns a number that looks random and depends only on `seed` and `value` (splitmix64).
pub(crate) fn mix(seed: u64, value: u64) -> u64 {
    let mut z = seed ^ value.wrapping_add(1).wrapping_mul(ODD);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Returns a number for a text.
pub(crate) fn mix_text(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed, |hash, byte| mix(hash, u64::from(byte)))
}

/// Returns another number for each number, so that a name can carry an index without showing it.
pub(crate) fn scramble(value: u64, salt: u64) -> u64 {
    value.wrapping_mul(ODD) ^ salt
}

/// Undoes [`scramble`].
pub(crate) fn unscramble(value: u64, salt: u64) -> u64 {
    (value ^ salt).wrapping_mul(INVERSE)
}

/// Returns `length` letters and digits for a number.
pub(crate) fn word(mut value: u64, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letter = |value: u64| char::from(LETTERS[(value % 62) as usize]);
    (0..length)
        .map(|_| {
            let next = letter(value);
            value = mix(value, 62);
            next
        })
        .collect()
}

const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
const INVERSE: u64 = inverse(ODD);

/// Newton's iteration doubles the correct low bits each time.
const fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    let mut round = 0;
    while round < 6 {
        x = x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x)));
        round += 1;
    }
    x
}
