CREATE TABLE persona_data (
    id serial PRIMARY KEY, session_id integer NOT NULL UNIQUE REFERENCES onboarding_sessions (id) ON DELETE CASCADE, core_persona jsonb NOT NULL, platform_personas jsonb,
    quality_metrics jsonb, selected_platforms jsonb, created_at timestamp NOT NULL DEFAULT now(), updated_at timestamp NOT NULL DEFAULT now());
CREATE INDEX idx_persona_data_session_id ON persona_data (session_id);
CREATE INDEX idx_persona_data_created_at ON persona_data (created_at);
