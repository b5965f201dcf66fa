CREATE TABLE persons (id uuid PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE person_data (
    id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES persons (id) ON DELETE CASCADE, raw_text text NOT NULL, source varchar(50) DEFAULT 'api',
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE personas (
    id uuid PRIMARY KEY, person_id uuid NOT NULL UNIQUE REFERENCES persons (id) ON DELETE CASCADE, persona jsonb NOT NULL, version integer NOT NULL DEFAULT 1,
    computed_from_data_ids uuid[] NOT NULL DEFAULT ARRAY[]::uuid[], created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX idx_person_data_person_id ON person_data (person_id);
