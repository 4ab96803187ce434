//! What every search can be asked to be, in a query string and in a body.

use domain::{ArtistKey, Embedding, Engine, Limit, Metric, Search, SearchFilter};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::filter::{self, FilterBody};
use crate::{
    json::{Members, Node},
    parameters::{FromParameters, Parameters},
};

/// How a search is done, and how much is told about what it finds.
#[derive(Debug, Clone, PartialEq, ToSchema)]
#[schema(as = SearchWishes)]
pub(super) struct Wishes {
    /// How many artists at most; 5 if not given.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 20)]
    limit: Limit<20>,
    /// What closeness means; `cosine` if not given.
    #[schema(value_type = Option<MetricBody>)]
    pub(super) metric: Metric,
    /// How the answer may be found; `auto` if not given.
    #[schema(value_type = Option<EngineBody>)]
    engine: Engine,
    /// Whom to look at; everybody if not given.
    #[schema(value_type = Option<FilterBody>)]
    filter: SearchFilter,
    /// Whether to tell for each artist how the drum feel compares; not if not given.
    #[schema(value_type = Option<bool>)]
    pub(super) explain: bool,
}

impl Wishes {
    const USUAL_LIMIT: u16 = 5;

    /// Takes wishes out of an object's members and notes everything that is wrong with them.
    pub(super) fn read(members: &mut Members<'_>) -> Option<Self> {
        let limit = members.optional("limit").map_or_else(usual_limit, |node| read_limit(&node));
        let metric = members
            .optional("metric")
            .map_or(Some(Metric::default()), |node| node.checked(node.text()?.parse()));
        let engine = members
            .optional("engine")
            .map_or(Some(Engine::default()), |node| node.checked(node.text()?.parse()));
        let filter = members
            .optional("filter")
            .map_or(Some(SearchFilter::EVERYBODY), |node| filter::read(&node));
        let explain = members.optional("explain").map_or(Some(false), |node| node.boolean());
        Some(Self {
            limit: limit?,
            metric: metric?,
            engine: engine?,
            filter: filter?,
            explain: explain?,
        })
    }

    /// The search of this kind around an embedding, with some left out.
    pub(super) fn search(&self, target: Embedding, except: Vec<ArtistKey>) -> Search {
        let Self { limit, metric, engine, filter, explain: _ } = self;
        Search {
            target,
            except,
            limit: *limit,
            metric: *metric,
            filter: filter.clone(),
            engine: *engine,
        }
    }
}

fn usual_limit() -> Option<Limit<20>> {
    Limit::new(Wishes::USUAL_LIMIT).ok()
}

fn read_limit(node: &Node<'_>) -> Option<Limit<20>> {
    node.checked(Limit::new(node.whole_within(1, Limit::<20>::LARGEST.get())?))
}

impl FromParameters for Wishes {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let limit = parameters.limit(Self::USUAL_LIMIT);
        let metric = parameters.optional("metric", str::parse::<Metric>).unwrap_or_default();
        let engine = parameters.optional("engine", str::parse::<Engine>).unwrap_or_default();
        let filter = filter::from_parameters(parameters);
        let explain = parameters.flag("explain");
        Some(Self { limit: limit?, metric, engine, filter, explain })
    }
}

impl IntoParams for Wishes {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let whole = ObjectBuilder::new().schema_type(Type::Integer);
        let limit = whole.minimum(Some(1)).maximum(Some(Limit::<20>::LARGEST.get()));
        let boolean = ObjectBuilder::new().schema_type(Type::Boolean);
        let mut parameters = vec![
            in_query("limit", "How many artists at most; 5 if not given", limit).build(),
            in_query("metric", MetricBody::ABOUT, MetricBody::schema()).build(),
            in_query("engine", EngineBody::ABOUT, EngineBody::schema()).build(),
            in_query(
                "explain",
                "Whether to tell for each artist how the drum feel compares; not if not given",
                boolean,
            )
            .build(),
        ];
        parameters.extend(filter::parameters());
        parameters
    }
}

/// A parameter that may be left out, to be described further.
pub(super) fn in_query(
    name: &str,
    about: &str,
    schema: impl Into<RefOr<Schema>>,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(about))
        .schema(Some(schema))
}

/// How a metric is documented.
pub(super) struct MetricBody;

impl MetricBody {
    const ABOUT: &str = "What closeness means: `cosine` of the angle (lengths do not count), `l2` (Euclidean distance) \
                         or `inner_product`; `cosine` if not given";
}

impl PartialSchema for MetricBody {
    fn schema() -> RefOr<Schema> {
        one_of(Metric::ALL.map(Metric::as_str))
    }
}

impl ToSchema for MetricBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "Metric".into()
    }
}

/// How an engine is documented.
struct EngineBody;

impl EngineBody {
    const ABOUT: &str = "How the answer may be found: `exact` compares everything, `approximate` lets the database's \
                         index choose what to compare if it has one that serves the search, `auto` is what is \
                         fastest; `auto` if not given";
}

impl PartialSchema for EngineBody {
    fn schema() -> RefOr<Schema> {
        one_of(Engine::ALL.map(Engine::as_str))
    }
}

impl ToSchema for EngineBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "Engine".into()
    }
}

fn one_of<const COUNT: usize>(words: [&'static str; COUNT]) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, InvalidDocument};

    fn read(text: &str) -> Result<Wishes, InvalidDocument> {
        json::read(text.as_bytes(), |node| {
            let mut members = node.members()?;
            let wishes = Wishes::read(&mut members);
            members.end();
            wishes
        })
    }

    #[test]
    fn are_usual_unless_said() {
        let wishes = read(r#"{"limit": null, "metric": null, "filter": {}}"#).unwrap();

        assert_eq!(wishes.limit.get(), 5);
        assert_eq!((wishes.metric, wishes.engine), (Metric::Cosine, Engine::Auto));
        assert!(wishes.filter.is_empty() && !wishes.explain);
    }

    #[test]
    fn are_read() {
        let wishes = read(
            r#"{"limit": 20, "metric": "l2", "engine": "exact", "explain": true, "filter": {"status": ["cached"]}}"#,
        )
        .unwrap();

        assert_eq!(wishes.limit.get(), 20);
        assert_eq!((wishes.metric, wishes.engine), (Metric::L2, Engine::Exact));
        assert!(!wishes.filter.is_empty() && wishes.explain);
    }

    #[test]
    fn everything_wrong_is_told() {
        let told = read(
            r#"{"limit": 21, "metric": "manhattan", "engine": 1, "explain": "yes", "filter": [], "k": 3}"#,
        )
        .unwrap_err()
        .to_string();

        assert_eq!(
            told,
            "/limit: must be a whole number from 1 to 20; /metric: a metric is one of cosine, l2, inner_product; \
             /engine: must be a string, not a number; /filter: must be an object, not an array; \
             /explain: must be a boolean, not a string; /k: is not a known member"
        );
    }
}
