//! Spectra as they are kept: in int16, half of the memory that has to be fetched for every pair.

use std::ops::Range;

use rustfft::num_complex::Complex32;

use super::simd::fast;

/// A coefficient of usual size; those of more than 128 times that size are cut.
const USUAL: f32 = 256.0;

/// Memory for `n` spectra with the given number of coefficients; of each first the real, then the imaginary parts.
pub fn zeros(n: usize, length: usize) -> Vec<i16> {
    vec![0; 2 * length * n]
}

/// Keeps a spectrum whose coefficients are of about this size (root mean square).
pub fn keep(spectrum: &[Complex32], size: f32, out: &mut [i16]) {
    keep_part(spectrum, 0, size, out);
}

/// Keeps some coefficients of a spectrum, from the given one on.
pub fn keep_part(part: &[Complex32], at: usize, size: f32, out: &mut [i16]) {
    let (re, im) = out.split_at_mut(out.len() / 2);
    round(part, if size > 0.0 { USUAL / size } else { 0.0 }, &mut re[at..], &mut im[at..]);
}

fast! {
    fn round(spectrum: &[Complex32], factor: f32, re: &mut [i16], im: &mut [i16]) {
        for ((re, im), value) in re.iter_mut().zip(im).zip(spectrum) {
            *re = (value.re * factor).round_ties_even().clamp(-32_767.0, 32_767.0) as i16;
            *im = (value.im * factor).round_ties_even().clamp(-32_767.0, 32_767.0) as i16;
        }
    }
}

/// Adds a kept spectrum to a sum, multiplied by a factor; coefficients of usual size count as 1.
pub fn add(sum: &mut [Complex32], spectrum: &[i16], factor: f32) {
    let factor = factor / USUAL;
    let (re, im) = spectrum.split_at(sum.len());
    for ((sum, &re), &im) in sum.iter_mut().zip(re).zip(im) {
        *sum += Complex32::new(f32::from(re), f32::from(im)) * factor;
    }
}

/// Some of a spectrum's coefficients.
fn part(spectrum: &[i16], at: Range<usize>) -> (&[i16], &[i16]) {
    let (re, im) = spectrum.split_at(spectrum.len() / 2);
    (&re[at.clone()], &im[at])
}

/// The products of the coefficients of a spectrum, conjugate, and those of another one, from the given one on.
pub fn multiply(out: &mut [Complex32], at: usize, a: &[i16], b: &[i16]) {
    let at = at..at + out.len();
    let ((a_re, a_im), (b_re, b_im)) = (part(a, at.clone()), part(b, at));
    products(out, a_re, a_im, b_re, b_im);
}

/// The products of the coefficients of a spectrum, conjugate, and those of two others, the second multiplied by i.
pub fn multiply_packed(out: &mut [Complex32], at: usize, a: &[i16], b: &[i16], c: &[i16]) {
    let at = at..at + out.len();
    let ((a_re, a_im), (b_re, b_im), (c_re, c_im)) = (part(a, at.clone()), part(b, at.clone()), part(c, at));
    products_of_packed(out, a_re, a_im, b_re, b_im, c_re, c_im);
}

fast! {
    avx512: fn products(out: &mut [Complex32], a_re: &[i16], a_im: &[i16], b_re: &[i16], b_im: &[i16]) {
        for ((((out, &a_re), &a_im), &b_re), &b_im) in out.iter_mut().zip(a_re).zip(a_im).zip(b_re).zip(b_im) {
            let (a, b) = ((f32::from(a_re), f32::from(a_im)), (f32::from(b_re), f32::from(b_im)));
            *out = Complex32::new(a.0 * b.0 + a.1 * b.1, a.0 * b.1 - a.1 * b.0);
        }
    }
}

fast! {
    avx512: fn products_of_packed(
        out: &mut [Complex32], a_re: &[i16], a_im: &[i16], b_re: &[i16], b_im: &[i16], c_re: &[i16], c_im: &[i16],
    ) {
        let others = b_re.iter().zip(b_im).zip(c_re.iter().zip(c_im));
        for (((out, &a_re), &a_im), ((&b_re, &b_im), (&c_re, &c_im))) in out.iter_mut().zip(a_re).zip(a_im).zip(others) {
            let (a, b) = ((f32::from(a_re), f32::from(a_im)), (f32::from(b_re) - f32::from(c_im), f32::from(b_im) + f32::from(c_re)));
            *out = Complex32::new(a.0 * b.0 + a.1 * b.1, a.0 * b.1 - a.1 * b.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_kept_spectra_of_any_length() {
        for n in [1, 8, 12, 30] {
            let spectrum = |seed: usize| -> Vec<Complex32> {
                let part = |k: usize| ((k * seed * 7919) % 101) as f32 / 50.0 - 1.0;
                (0..n).map(|k| Complex32::new(part(k + 1), part(k + 50))).collect()
            };
            let [a, b, c] = [1, 2, 3].map(spectrum);
            let kept = [&a, &b, &c].map(|values| {
                let mut out = zeros(1, n);
                keep(values, 0.02, &mut out);
                out
            });
            let (mut two, mut three) = (vec![Complex32::default(); n], vec![Complex32::default(); n]);
            multiply(&mut two, 0, &kept[0], &kept[1]);
            multiply_packed(&mut three, 0, &kept[0], &kept[1], &kept[2]);
            let scale = (0.02 / USUAL).powi(2);
            for k in 0..n {
                assert!((two[k] * scale - a[k].conj() * b[k]).norm() < 1e-3);
                assert!((three[k] * scale - a[k].conj() * (b[k] + Complex32::i() * c[k])).norm() < 1e-3);
            }
            let mut sum = b.clone();
            add(&mut sum, &kept[0], -0.02);
            assert!((0..n).all(|k| (sum[k] - (b[k] - a[k])).norm() < 1e-3));
        }
    }

    #[test]
    fn what_is_too_large_is_cut() {
        let mut out = zeros(1, 1);
        keep(&[Complex32::new(1e9, -1e9)], 1.0, &mut out);
        assert_eq!(out, [32_767, -32_767]);
        keep(&[Complex32::new(1.0, 1.0)], 0.0, &mut out);
        assert_eq!(out, [0, 0]);
    }

    #[test]
    fn spectra_of_any_length_are_rounded_as_by_a_plain_loop() {
        for n in (0..70).chain([127, 128, 129]) {
            let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 * 100.0 - 50_000.0;
            let spectrum: Vec<Complex32> = (0..n).map(|i| Complex32::new(value(i), value(i + 7))).collect();
            let (mut re, mut im) = (vec![1; n], vec![1; n]);
            round(&spectrum, 0.75, &mut re, &mut im);
            let plain = |part: f32| ((part * 0.75).round_ties_even() as i32).clamp(-32_767, 32_767);
            for (i, value) in spectrum.iter().enumerate() {
                assert_eq!([i32::from(re[i]), i32::from(im[i])], [plain(value.re), plain(value.im)], "{i} of {n}");
            }
        }
    }
}
