//! Images that are rotated, magnified or mirrored.

use super::overlap::Span;

/// A linear map around the middle of a frame, in pixels of the reduced micrograph: the image that is made shows at pixel p what the given
/// one shows at middle + matrix · (p - middle).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warp(pub [[f64; 2]; 2]);

impl Default for Warp {
    fn default() -> Self {
        Self([[1.0, 0.0], [0.0, 1.0]])
    }
}

impl Warp {
    /// A rotation by an angle in degrees, and a magnification.
    pub fn of(turn_deg: f64, scale: f64) -> Self {
        let (sin, cos) = turn_deg.to_radians().sin_cos();
        Self([[scale * cos, -scale * sin], [scale * sin, scale * cos]])
    }

    /// Whether it changes nothing.
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// This one, applied to what `inner` made.
    #[must_use]
    pub(crate) fn after(self, inner: Self) -> Self {
        let (a, b) = (inner.0, self.0);
        Self(std::array::from_fn(|row| std::array::from_fn(|column| a[row][0] * b[0][column] + a[row][1] * b[1][column])))
    }

    /// The angle of rotation in degrees, and the magnification.
    pub(crate) fn turn_and_scale(self) -> (f64, f64) {
        let [[a, b], [c, d]] = self.0;
        ((c - b).atan2(a + d).to_degrees(), (a * d - b * c).abs().sqrt())
    }

    /// The image that is made; pixels that the given one does not show are 0. `pixel`: columns and rows of the reduced micrograph that a
    /// pixel of the image takes.
    pub(crate) fn apply<P: Pixel>(self, image: &[P], width: usize, pixel: (f64, f64)) -> Vec<P> {
        if self.is_none() {
            return image.to_vec();
        }
        let height = image.len() / width;
        let [[a, b], [c, d]] = self.0;
        let (b, c) = (b * pixel.1 / pixel.0, c * pixel.0 / pixel.1);
        let middle = ((width - 1) as f64 / 2.0, (height - 1) as f64 / 2.0);
        let mut out = Vec::with_capacity(image.len());
        for y in 0..height {
            let from_middle = y as f64 - middle.1;
            let start = (middle.0 + b * from_middle - a * middle.0, middle.1 + d * from_middle - c * middle.0);
            out.extend((0..width).map(|x| sample(image, (width, height), start.0 + a * x as f64, start.1 + c * x as f64)));
        }
        out
    }

    /// Where the middle of what overlaps lies in the given image, if the image that is made fits another one's pixels `lag` further on.
    fn middle(self, (width, height): (usize, usize), lag: (f64, f64)) -> ([f64; 2], [f64; 2]) {
        let along = |size: usize, lag: f64| {
            Span::new(size, lag.round() as i32).map_or(0.0, |span| span.first as f64 + span.length as f64 / 2.0 - size as f64 / 2.0)
        };
        let made = [along(width, lag.0), along(height, lag.1)];
        ([0, 1].map(|row| self.0[row][0] * made[0] + self.0[row][1] * made[1]), made)
    }

    /// From the lag of the image that is made to that of the given one in the middle of what overlaps; all in pixels of the reduced
    /// micrograph.
    pub(crate) fn lag_of_given(self, size: (usize, usize), lag: (f64, f64)) -> (f64, f64) {
        let (given, made) = self.middle(size, lag);
        (lag.0 + made[0] - given[0], lag.1 + made[1] - given[1])
    }

    /// The other way round.
    pub(crate) fn lag_of_made(self, size: (usize, usize), lag: (f64, f64)) -> (f64, f64) {
        let (given, made) = self.middle(size, lag);
        (lag.0 - made[0] + given[0], lag.1 - made[1] + given[1])
    }
}

/// One of the eight ways in which a program may store the rows of a frame: the sum of 1 (flipped in x), 2 (flipped in y) and 4 (before
/// that, columns and rows exchanged, of square frames only).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation(pub u8);

impl Orientation {
    /// In which an unrelated frame is compared as a decoy, by its number: flipped in y or in x, or turned by 180 degrees. Whatever matches
    /// so is one micrograph in two orientations.
    pub(crate) fn of_decoy(i: usize) -> Self {
        Self([2, 1, 2, 3][i % 4])
    }

    /// This change, and then another.
    #[must_use]
    pub(crate) fn then(self, next: Self) -> Self {
        // Columns and rows are exchanged first: if they are by `next`, what was flipped in x is flipped in y.
        Self((if next.0 & 4 > 0 { self.exchanged() } else { self.0 }) ^ next.0)
    }

    /// The change that takes this one back.
    #[must_use]
    pub(crate) fn inverse(self) -> Self {
        Self(if self.0 & 4 > 0 { self.exchanged() } else { self.0 })
    }

    /// With the flips in x and y exchanged.
    fn exchanged(self) -> u8 {
        self.0 & 4 | (self.0 & 1) << 1 | (self.0 & 2) >> 1
    }

    /// The pixels of an image of `width` columns, stored so.
    pub(crate) fn apply(self, image: &[i8], width: usize) -> Vec<i8> {
        let height = image.len() / width;
        let place = |at: usize| {
            let (x, y) = (at % width, at / width);
            let (x, y) = (if self.0 & 1 > 0 { width - 1 - x } else { x }, if self.0 & 2 > 0 { height - 1 - y } else { y });
            if self.0 & 4 > 0 { x * width + y } else { y * width + x }
        };
        (0..image.len()).map(|at| image[place(at)]).collect()
    }
}

/// The transformation in which the first micrograph of a pair is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Mirrored, as a decoy: it matches nothing in the second.
    pub mirrored: bool,
    /// Else, stored in another orientation.
    pub orientation: Orientation,
    /// Rotated by this map.
    pub warp: Warp,
}

impl Seen {
    /// Whether it is unchanged.
    pub(crate) fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// The pixels of image `i`, `width` columns, seen so; `pixel` as for [`Warp::apply`].
    pub(crate) fn pixels(self, image: &[i8], width: usize, pixel: (f64, f64), i: usize) -> Vec<i8> {
        match if self.mirrored { Orientation::of_decoy(i) } else { self.orientation } {
            Orientation(0) => self.warp.apply(image, width, pixel),
            orientation => self.warp.apply(&orientation.apply(image, width), width, pixel),
        }
    }
}

/// A value of an image.
pub trait Pixel: Copy {
    /// The nearest value.
    fn of(value: f32) -> Self;
    /// As a number.
    fn value(self) -> f32;
}

impl Pixel for i8 {
    fn of(value: f32) -> Self {
        value.round().clamp(-127.0, 127.0) as Self
    }

    fn value(self) -> f32 {
        self.into()
    }
}

impl Pixel for f32 {
    fn of(value: f32) -> Self {
        value
    }

    fn value(self) -> f32 {
        self
    }
}

/// The value between pixels by cubic convolution (Keys 1981, a = -1/2).
fn sample<P: Pixel>(image: &[P], (width, height): (usize, usize), x: f64, y: f64) -> P {
    let (left, top) = (x.floor(), y.floor());
    let (column, row) = (left as i64 - 1, top as i64 - 1);
    if column < 0 || row < 0 || column + 4 > width as i64 || row + 4 > height as i64 {
        return P::of(0.0);
    }
    let (across, down) = (weights((x - left) as f32), weights((y - top) as f32));
    let mut sum = 0.0;
    for (k, weight) in down.iter().enumerate() {
        let line = &image[(row as usize + k) * width + column as usize..][..4];
        sum += weight * line.iter().zip(&across).map(|(&pixel, weight)| pixel.value() * weight).sum::<f32>();
    }
    P::of(sum)
}

/// The weights of four values for a place so far behind the second.
pub(crate) fn weights(t: f32) -> [f32; 4] {
    let near = |t: f32| (1.5 * t - 2.5) * t * t + 1.0;
    let far = |t: f32| ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0;
    [far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(x: f64, y: f64) -> f64 {
        60.0 * (0.31 * x + 0.17 * y).sin() + 40.0 * (0.11 * x - 0.23 * y).cos()
    }

    #[test]
    fn a_turned_image_shows_the_scene_turned() {
        let (width, height, pixel) = (90, 64, (2.0, 1.5));
        let image: Vec<i8> = (0..width * height).map(|at| wave((at % width) as f64, (at / width) as f64) as i8).collect();
        let warp = Warp::of(3.0, 1.01);
        let made = warp.apply(&image, width, pixel);
        let ([[a, b], [c, d]], middle) = (warp.0, (44.5, 31.5));
        for (x, y) in [(44, 31), (20, 20), (70, 50), (10, 55)] {
            let (u, v) = ((f64::from(x) - middle.0) * pixel.0, (f64::from(y) - middle.1) * pixel.1);
            let expected = wave(middle.0 + (a * u + b * v) / pixel.0, middle.1 + (c * u + d * v) / pixel.1);
            let found = f64::from(made[y as usize * width + x as usize]);
            assert!((found - expected).abs() < 3.0, "{x} {y}: {found} {expected}");
        }
        let (turn, scale) = warp.turn_and_scale();
        assert!((turn - 3.0).abs() < 1e-9 && (scale - 1.01).abs() < 1e-9);
        let (turn, scale) = Warp::of(1.0, 1.0).after(warp).turn_and_scale();
        assert!((turn - 4.0).abs() < 1e-9 && (scale - 1.01).abs() < 1e-9);
        assert_eq!(Warp::default().apply(&image, width, pixel), image);
    }

    #[test]
    fn frames_stored_otherwise() {
        let image = [1, 2, 3, 4, 5, 6];
        let seen = |orientation: u8| Orientation(orientation).apply(&image, 3);
        assert_eq!([seen(0), seen(1), seen(2), seen(3)], [[1, 2, 3, 4, 5, 6], [3, 2, 1, 6, 5, 4], [4, 5, 6, 1, 2, 3], [6, 5, 4, 3, 2, 1]]);
        let square = [1, 2, 3, 4];
        let all: Vec<Vec<i8>> = (4..8).map(|orientation| Orientation(orientation).apply(&square, 2)).collect();
        assert_eq!(all, [[1, 3, 2, 4], [3, 1, 4, 2], [2, 4, 1, 3], [4, 2, 3, 1]]);
    }

    #[test]
    fn orientations_are_joined_and_taken_back() {
        let image: Vec<i8> = (0..16).collect();
        for (a, b) in (0..8).flat_map(|a| (0..8).map(move |b| (Orientation(a), Orientation(b)))) {
            assert_eq!(a.then(b).apply(&image, 4), b.apply(&a.apply(&image, 4), 4), "{a:?} {b:?}");
            assert_eq!(a.then(a.inverse()), Orientation(0));
        }
    }

    #[test]
    fn shifts_there_and_back() {
        for shift in [(0.0, 0.0), (120.0, -80.0), (-300.0, 10.0)] {
            let warp = Warp::of(-2.0, 0.99);
            let made = warp.lag_of_made((720, 512), shift);
            let back = warp.lag_of_given((720, 512), made);
            assert!((back.0 - shift.0).abs() < 0.6 && (back.1 - shift.1).abs() < 0.6, "{shift:?} {made:?} {back:?}");
        }
    }
}
