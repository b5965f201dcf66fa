CREATE TYPE severity_level AS ENUM ('critical', 'high', 'medium', 'low');
CREATE TABLE personas (
    id uuid PRIMARY KEY, tenant_id uuid NOT NULL, name varchar(120) NOT NULL, slug varchar(140) NOT NULL CONSTRAINT personas_slug_key UNIQUE,
    title varchar(160) NOT NULL, seniority varchar(20) CHECK (seniority IN ('junior', 'mid', 'senior', 'executive')),
    years_of_experience integer CHECK (years_of_experience BETWEEN 0 AND 60), tags text[] NOT NULL DEFAULT '{}', is_public boolean NOT NULL DEFAULT false,
    hired_on date, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE persona_pain_points (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, pain_point text NOT NULL,
    category varchar(40) NOT NULL CONSTRAINT persona_pain_points_category_check CHECK (category IN ('operational', 'strategic', 'technology', 'interpersonal')),
    severity severity_level NOT NULL, sequence_order integer NOT NULL, UNIQUE (persona_id, sequence_order));
CREATE TABLE persona_goals (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, goal_text text NOT NULL,
    goal_type varchar(20) NOT NULL CHECK (goal_type IN ('primary', 'secondary', 'long_term', 'personal')), priority integer CHECK (priority BETWEEN 1 AND 3),
    achievement_rate numeric(3, 2) CHECK (achievement_rate >= 0 AND achievement_rate <= 1), sequence_order integer NOT NULL, UNIQUE (persona_id, sequence_order));
CREATE TABLE persona_challenges (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, challenge text NOT NULL,
    challenge_type varchar(20) NOT NULL CHECK (challenge_type IN ('daily', 'weekly', 'strategic', 'external')), sequence_order integer NOT NULL);
CREATE TABLE persona_week_in_life (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, day_of_week varchar(9) NOT NULL,
    energy_pattern varchar(10) NOT NULL CHECK (energy_pattern IN ('high', 'medium', 'low')),
    meeting_load varchar(10) NOT NULL CHECK (meeting_load IN ('heavy', 'moderate', 'light')), UNIQUE (persona_id, day_of_week));
CREATE TABLE persona_month_in_life (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE,
    month_phase varchar(10) NOT NULL CHECK (month_phase IN ('beginning', 'mid', 'end')), focus text NOT NULL, CONSTRAINT month_phase_unique UNIQUE (persona_id, month_phase));
CREATE TABLE persona_evidence_summary (
    persona_id uuid PRIMARY KEY REFERENCES personas (id) ON DELETE CASCADE,
    overall_confidence_level varchar(10) NOT NULL CHECK (overall_confidence_level IN ('very_high', 'high', 'medium', 'low', 'very_low')),
    evidence_quality_score integer NOT NULL CHECK (evidence_quality_score BETWEEN 1 AND 10), evidence_recency_score integer NOT NULL CHECK (evidence_recency_score BETWEEN 1 AND 10),
    total_sources integer NOT NULL, case_studies_count integer NOT NULL, statistics_count integer NOT NULL);
CREATE TABLE persona_case_studies (
    id uuid PRIMARY KEY, persona_id uuid NOT NULL REFERENCES personas (id) ON DELETE CASCADE, title text NOT NULL, industry varchar(60) NOT NULL,
    case_type varchar(30) NOT NULL, relevance_score integer NOT NULL CHECK (relevance_score BETWEEN 1 AND 10));
