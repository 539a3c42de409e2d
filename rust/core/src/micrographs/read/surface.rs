//! A smooth surface through the cells of an image.

use crate::micrographs::kernels::cells::Cells;
use crate::micrographs::kernels::equations::solve;

/// Polynomials of up to this degree in x times such in y are fitted before local means are taken, so that a steep change does not bend
/// these at the borders.
const DEGREE: usize = 3;
/// If there are fewer cells, all count for the polynomial.
const FEW_CELLS: usize = 1000;
/// A term that the others explain but for this share is left out.
const MIN_PIVOT: f64 = 1e-4;

/// The polynomial surface of least squares through the means of the cells that count.
pub(crate) fn surface(means: &Cells, weight: &Cells) -> Vec<f32> {
    const TERMS: usize = (DEGREE + 1) * (DEGREE + 1);
    let powers = |k: usize, n: usize| -> [f64; DEGREE + 1] {
        let at = if n > 1 { 2.0 * k as f64 / (n - 1) as f64 - 1.0 } else { 0.0 };
        // Legendre's, which are almost at right angles.
        [1.0, at, 1.5 * at * at - 0.5, 2.5 * at.powi(3) - 1.5 * at]
    };
    let columns: Vec<_> = (0..means.across).map(|x| powers(x, means.across)).collect();
    let rows: Vec<_> = (0..means.down).map(|y| powers(y, means.down)).collect();
    let terms = |at: usize| -> [f64; TERMS] {
        let (column, row) = (&columns[at % means.across], &rows[at / means.across]);
        std::array::from_fn(|term| column[term % (DEGREE + 1)] * row[term / (DEGREE + 1)])
    };
    let mut equations = [[0.0; TERMS + 1]; TERMS];
    // One cell of four is enough for so few terms.
    let fitted = |at: usize| {
        weight.values[at] > 0.0 && (means.values.len() < FEW_CELLS || (at % means.across + at / means.across).is_multiple_of(4))
    };
    for at in (0..means.values.len()).filter(|&at| fitted(at)) {
        let (mean, weight) = (means.values[at], weight.values[at]);
        let terms = terms(at);
        for (equation, &term) in equations.iter_mut().zip(&terms) {
            equation.iter_mut().zip(&terms).for_each(|(sum, other)| *sum += f64::from(weight) * term * other);
            equation[TERMS] += f64::from(weight) * term * f64::from(mean);
        }
    }
    let coefficients: Vec<[f64; 1]> = solve(&mut equations, MIN_PIVOT);
    let at = |at: usize| terms(at).iter().zip(&coefficients).map(|(term, [factor])| term * factor).sum::<f64>() as f32;
    (0..means.values.len()).map(at).collect()
}
