//! Symmetric linear equations, some of them superfluous.

/// Solves equations, each a row of n factors and `RIGHTS` right sides; an unknown whose pivot falls below `min_pivot` of its first value,
/// because the others make it superfluous, is 0.
pub fn solve<Row: AsRef<[f64]> + AsMut<[f64]> + Clone, const RIGHTS: usize>(equations: &mut [Row], min_pivot: f64) -> Vec<[f64; RIGHTS]> {
    let n = equations.len();
    let least: Vec<f64> = (0..n).map(|k| min_pivot * equations[k].as_ref()[k].max(0.0)).collect();
    for k in 0..n {
        let pivot = equations[k].clone();
        let pivot = pivot.as_ref();
        if pivot[k] > least[k] {
            for (_, row) in equations.iter_mut().enumerate().filter(|&(other, _)| other != k) {
                let row = row.as_mut();
                let factor = row[k] / pivot[k];
                row.iter_mut().zip(pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    let unknown = |(k, row): (usize, &Row)| {
        let row = row.as_ref();
        std::array::from_fn(|right| if row[k] > least[k] { row[n + right] / row[k] } else { 0.0 })
    };
    equations.iter().enumerate().map(unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved_and_superfluous_unknowns_are_0() {
        let rows = |c: [f64; 3]| vec![vec![2.0, 1.0, 0.5, c[0], 1.0], vec![1.0, 2.0, 0.5, c[1], 0.0], vec![0.5, 0.5, 1.0, c[2], 0.0]];
        let (x, y, z) = (1.0, -2.0, 3.0);
        let found = solve::<_, 2>(&mut rows([2.0 * x + y + 0.5 * z, x + 2.0 * y + 0.5 * z, 0.5 * x + 0.5 * y + z]), 1e-6);
        assert!(found.iter().zip([x, y, z]).all(|([found, _], expected)| (found - expected).abs() < 1e-12), "{found:?}");
        assert_eq!(solve(&mut [[1.0, 1.0, 2.0, 4.0], [1.0, 1.0, 2.0, 4.0]], 1e-6), [[2.0, 4.0], [0.0, 0.0]]);
        assert_eq!(solve(&mut [[0.0, 0.0, 1.0, 1.0], [0.0, 2.0, 2.0, 4.0]], 1e-6), [[0.0, 0.0], [1.0, 2.0]]);
    }
}
