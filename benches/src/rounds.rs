//! Interleaved rounds: A B C, A B C, ... so that whatever else the machine does falls on all alike.

use anyhow::Result;

/// How often each subject is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Rounds {
    /// Measured rounds; each subject is measured once in each
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub rounds: usize,
    /// Rounds before these that do not count
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warm_up: usize,
}

/// Measures every subject once in each round and returns, for each subject, its measurements in the order of the
/// rounds: the measurements at one index were made close to each other.
///
/// # Errors
///
/// The first error of `measure`.
pub fn interleaved<S, M>(
    rounds: Rounds,
    subjects: &mut [S],
    mut measure: impl FnMut(&mut S) -> Result<M>,
) -> Result<Vec<Vec<M>>> {
    let mut measured: Vec<Vec<M>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds.warm_up + rounds.rounds {
        for (subject, measured) in subjects.iter_mut().zip(&mut measured) {
            let measurement = measure(subject)?;
            if round >= rounds.warm_up {
                measured.push(measurement);
            }
        }
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_take_turns_and_the_warm_up_does_not_count() {
        let mut order = Vec::new();
        let rounds = Rounds { rounds: 2, warm_up: 1 };
        let measured = interleaved(rounds, &mut ['a', 'b'], |subject| {
            order.push(*subject);
            Ok(order.len())
        });
        assert_eq!(measured.unwrap(), [[3, 5], [4, 6]]);
        assert_eq!(order, ['a', 'b', 'a', 'b', 'a', 'b']);
    }
}
