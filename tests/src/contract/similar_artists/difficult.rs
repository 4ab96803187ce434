//! Vectors that single precision cannot rank.

use domain::{Embedding, Metric};

use super::{
    around,
    model::{Model, profile},
    scaled,
};
use crate::{fixture::Fixture, given};

/// Every vector is searched around, by every metric.
async fn agrees_around(fixture: &impl Fixture, vectors: Vec<Embedding>) -> anyhow::Result<()> {
    let profiles = (0..).zip(&vectors).map(|(number, vector): (u32, _)| {
        // Names in another order than vectors.
        profile(&format!("Artist {:03}", (number * 389) % 1_000), vector.clone())
    });
    let model = Model::filled(fixture, profiles.collect::<anyhow::Result<_>>()?).await?;
    let similar = fixture.similar_artists();
    for target in vectors.iter().step_by(7) {
        for metric in Metric::ALL {
            model.agrees(&*similar, &around(target, metric, 20)?).await?;
        }
    }
    Ok(())
}

/// A vector with one number changed.
fn with(base: &Embedding, index: usize, change: impl Fn(f32) -> f32) -> anyhow::Result<Embedding> {
    let mut numbers = base.as_slice().to_vec();
    if let Some(number) = numbers.get_mut(index) {
        *number = change(*number);
    }
    Ok(Embedding::try_from(numbers)?)
}

/// Hundreds of vectors within 1e-7 of each other, one direction at many lengths, and their opposites.
pub async fn ranks_what_single_precision_cannot_tell_apart(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let base = given::embedding(5)?;
    let mut vectors = vec![base.clone()];
    for index in 0..200 {
        let step = if index % 2 == 0 { 1e-7 } else { -3e-8 };
        vectors.push(with(&base, index, |number| number + step)?);
    }
    for index in 200..300 {
        vectors.push(with(&base, index, f32::next_up)?);
    }
    for power in 0..40 {
        vectors.push(scaled(&base, 1.0 + f32::EPSILON * f32::from(1_u16 + power))?);
        vectors.push(scaled(&base, -1.0 - f32::EPSILON * f32::from(1_u16 + power))?);
    }
    agrees_around(fixture, vectors).await
}

/// The longest and the shortest vectors, numbers too small to be normal, signs turned round, and axes.
pub async fn takes_every_scale(fixture: &impl Fixture) -> anyhow::Result<()> {
    let axis = |index: usize, length: f32| {
        let mut numbers = vec![0.0; Embedding::DIMENSIONS];
        if let Some(number) = numbers.get_mut(index) {
            *number = length;
        }
        Embedding::try_from(numbers)
    };
    let mut vectors = Vec::new();
    for number in 0_u8..30 {
        let (index, some) = (usize::from(number), given::embedding(number.into())?);
        vectors.push(scaled(&some, 9.99e14)?);
        vectors.push(scaled(&some, 1.01e-15)?);
        vectors.push(scaled(&some, 1e7 * f32::from(number + 1))?);
        // Nothing but this tells them apart.
        vectors.push(with(&axis(383, 1.5e-15)?, index, |_| f32::from_bits(1 + u32::from(number)))?);
        vectors.push(with(&axis(383, 9e14)?, index, |_| 1e-30 * f32::from(number + 1))?);
        vectors.push(with(&some, index, |number| -number)?);
        vectors.push(axis(index, 1.0)?);
        vectors.push(axis(index, if number % 2 == 0 { -1e15 } else { -2e-15 })?);
    }
    agrees_around(fixture, vectors).await
}
