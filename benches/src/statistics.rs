//! The few numbers that a list of measurements is reduced to.

/// The middle value, or the mean of the two in the middle.
///
/// # Panics
///
/// When there are no values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// The least value.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The median of the ratios within each round. Noise that lasts longer than a round falls out of it, which it does
/// not from the ratio of two medians.
///
/// # Panics
///
/// When the lists have different lengths or no values.
pub fn paired_ratio(values: &[f64], base: &[f64]) -> f64 {
    assert_eq!(values.len(), base.len(), "both were measured in the same rounds");
    let ratios: Vec<f64> = values.iter().zip(base).map(|(value, base)| value / base).collect();
    median(&ratios)
}

/// The geometric mean, the one mean of ratios that does not depend on which side is the base; `None` for no values.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().map(|value| value.ln()).sum();
    (!values.is_empty()).then(|| (sum / values.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // Each value is half its base; both doubled in the second round.
        assert_eq!(paired_ratio(&[1.0, 2.0], &[2.0, 4.0]), 0.5);
        assert_eq!(least(&[3.0, 1.0]), 1.0);
    }

    #[test]
    fn geometric_means() {
        assert!((geometric_mean(&[0.5, 2.0]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }
}
