//! Style profiles: what research learned about how an artist plays, at most one for each artist.

use sea_orm_migration::prelude::*;

use crate::column::Dialect;

/// The most sources of one kind: what 16 bits count, as the service does.
const MOST_SOURCES: u32 = 65_535;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        manager.create_table(style_profiles(dialect)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(StyleProfiles::Table).take()).await
    }
}

fn style_profiles(dialect: Dialect) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(StyleProfiles::Table)
        .col(dialect.id(StyleProfiles::Id, "ck_style_profiles_id"))
        .col(dialect.uuid(StyleProfiles::ArtistId).not_null())
        .col(dialect.text(StyleProfiles::TextDescription).not_null());
    // Columns rather than one JSON document: the database checks them, and filters on their ranges
    // ("90 to 100 beats a minute") will want indexes.
    for parameter in [
        StyleProfiles::TempoMin,
        StyleProfiles::TempoMax,
        StyleProfiles::TempoAvg,
        StyleProfiles::SwingPercent,
        StyleProfiles::GhostNoteProb,
        StyleProfiles::SyncopationLevel,
        StyleProfiles::VelocityMean,
        StyleProfiles::VelocityStd,
    ] {
        table.col(dialect.double(parameter).not_null());
    }
    table
        .col(
            dialect
                .json(StyleProfiles::MidiTemplates, "ck_style_profiles_midi_templates")
                .not_null()
                .default("[]"),
        )
        .col(dialect.double(StyleProfiles::ConfidenceScore).not_null())
        .col(dialect.count(
            StyleProfiles::SourcesPapers,
            MOST_SOURCES,
            "ck_style_profiles_sources_papers",
        ))
        .col(dialect.count(
            StyleProfiles::SourcesArticles,
            MOST_SOURCES,
            "ck_style_profiles_sources_articles",
        ))
        .col(dialect.count(
            StyleProfiles::SourcesAudio,
            MOST_SOURCES,
            "ck_style_profiles_sources_audio",
        ))
        .col(dialect.count(
            StyleProfiles::SourcesMidi,
            MOST_SOURCES,
            "ck_style_profiles_sources_midi",
        ))
        .col(dialect.time(StyleProfiles::CreatedAt))
        .col(dialect.time(StyleProfiles::UpdatedAt))
        .primary_key(Index::create().name("pk_style_profiles").col(StyleProfiles::Id))
        .index(
            Index::create()
                .unique()
                .name("uq_style_profiles_artist_id")
                .col(StyleProfiles::ArtistId),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_style_profiles_artist_id")
                .from(StyleProfiles::Table, StyleProfiles::ArtistId)
                .to(Artists::Table, Artists::Id)
                .on_delete(ForeignKeyAction::Cascade),
        );
    for (constraint, condition) in [
        (
            "ck_style_profiles_tempo",
            "0 < tempo_min AND tempo_min <= tempo_avg AND tempo_avg <= tempo_max \
             AND tempo_max <= 1000",
        ),
        ("ck_style_profiles_swing_percent", "swing_percent BETWEEN 0 AND 100"),
        ("ck_style_profiles_ghost_note_prob", "ghost_note_prob BETWEEN 0 AND 1"),
        ("ck_style_profiles_syncopation_level", "syncopation_level BETWEEN 0 AND 1"),
        ("ck_style_profiles_velocity_mean", "velocity_mean BETWEEN 0 AND 127"),
        ("ck_style_profiles_velocity_std", "velocity_std BETWEEN 0 AND 127"),
        ("ck_style_profiles_confidence_score", "confidence_score BETWEEN 0 AND 1"),
    ] {
        table.check((constraint, Expr::cust(condition)));
    }
    dialect.strict(&mut table);
    table
}

#[derive(DeriveIden)]
enum StyleProfiles {
    Table,
    Id,
    ArtistId,
    TextDescription,
    TempoMin,
    TempoMax,
    TempoAvg,
    SwingPercent,
    GhostNoteProb,
    SyncopationLevel,
    VelocityMean,
    VelocityStd,
    MidiTemplates,
    ConfidenceScore,
    SourcesPapers,
    SourcesArticles,
    SourcesAudio,
    SourcesMidi,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum Artists {
    Table,
    Id,
}
