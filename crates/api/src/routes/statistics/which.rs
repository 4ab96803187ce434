//! Which generations are summed up.

use cache::{Dimensions, GroupSums, StatisticsQuestion};
use domain::{ArtistName, Label, Provider, TimeRange};
use utoipa::IntoParams;

use super::known;
use crate::{
    parameters::Parameters,
    problem::{Code, Problem},
    reading::Answered,
    state::State,
    violation::Violation,
};

/// Which generations are summed up, and how. All conditions hold together.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only generations with the style of this artist, in any spelling that means the artist.
    #[param(value_type = Option<String>, example = "J Dilla")]
    artist: Option<ArtistName>,
    /// Only generations by this provider.
    #[param(value_type = Option<String>, example = "anthropic")]
    provider: Option<Provider>,
    /// Only generations with this model, upper and lower case as recorded.
    #[param(value_type = Option<String>, example = "drums-large-2")]
    model: Option<Label>,
    /// Whether percentiles must be exact, which takes longer; not if not given.
    #[param(value_type = Option<bool>)]
    pub(super) exact: bool,
}

impl Which {
    pub(super) fn from_parameters(parameters: &mut Parameters) -> Self {
        Self {
            artist: parameters.optional("artist", |text| ArtistName::try_from(text)),
            provider: parameters.optional("provider", |text| Provider::try_from(text)),
            model: parameters.optional("model", |text| Label::try_from(text)),
            exact: parameters.flag("exact"),
        }
    }

    /// What these generations took in each range, by how they ended and what else is told apart, all of it as of one
    /// moment.
    pub(super) async fn sum_up(
        self,
        state: &State,
        ranges: Vec<TimeRange>,
        dimensions: Dimensions,
    ) -> Result<Answered<Vec<Vec<GroupSums>>>, Problem> {
        let Self { artist, provider, model, exact } = self;
        let artist = match artist {
            None => None,
            Some(name) => match known(state, &name).await {
                Ok(artist) => Some(artist.id),
                Err(problem) => return Err(at_parameter(problem)),
            },
        };
        let question =
            StatisticsQuestion { ranges, artist, provider, model, dimensions, exact_times: exact };
        Ok(state.reading.statistics(&question).await?)
    }
}

fn at_parameter(problem: Problem) -> Problem {
    if problem.code() == Code::ArtistNotFound {
        problem.at(Violation::of_parameter("artist", "is not known"))
    } else {
        problem
    }
}
