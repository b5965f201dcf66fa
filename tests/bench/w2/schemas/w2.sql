-- The tables of ../../schema/w2.sql with the rules that the job checks. Keys and foreign keys are left out as they are there:
-- the hand-written scripts do not check them either.
CREATE TABLE personas (
    persona_id uuid NOT NULL, slug text NOT NULL UNIQUE, name text NOT NULL, title text NOT NULL,
    age integer NOT NULL CHECK (age BETWEEN 16 AND 99),
    gender text NOT NULL CHECK (gender IN ('female', 'male', 'non_binary', 'unknown')),
    location text NOT NULL,
    education text NOT NULL CHECK (education IN ('secondary', 'bachelor', 'master', 'phd')),
    job_role text NOT NULL,
    company_size text NOT NULL CHECK (company_size IN ('small', 'medium', 'large', 'unknown')),
    industry text NOT NULL,
    years_experience integer NOT NULL CHECK (years_experience BETWEEN 0 AND 60),
    income_band text NOT NULL CHECK (income_band IN ('A', 'B', 'C', 'D')),
    tech_savviness integer NOT NULL CHECK (tech_savviness BETWEEN 1 AND 5),
    confidence_level text NOT NULL CHECK (confidence_level IN ('low', 'medium', 'high')),
    evidence_quality_score numeric(4,2) NOT NULL CHECK (evidence_quality_score BETWEEN 0 AND 1),
    sources_count integer NOT NULL, last_reviewed date NOT NULL);
CREATE TABLE pain_points (
    id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL, pain_point text NOT NULL,
    category text NOT NULL CHECK (category IN ('operational', 'technical', 'financial', 'strategic', 'cultural')),
    severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')));
CREATE TABLE goals (
    id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL, goal_text text NOT NULL,
    goal_type text NOT NULL CHECK (goal_type IN ('business', 'personal', 'growth')),
    priority integer NOT NULL CHECK (priority BETWEEN 1 AND 3),
    achievement_rate numeric(4,2) NOT NULL CHECK (achievement_rate BETWEEN 0 AND 1));
CREATE TABLE challenges (
    id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL, challenge_text text NOT NULL,
    impact text NOT NULL CHECK (impact IN ('minor', 'moderate', 'major', 'severe')),
    frequency text NOT NULL CHECK (frequency IN ('daily', 'weekly', 'monthly')));
CREATE TABLE week_in_life (
    id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL,
    day text NOT NULL CHECK (day IN ('Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday')),
    energy_pattern text NOT NULL CHECK (energy_pattern IN ('low', 'steady', 'high', 'peak')),
    meeting_load text NOT NULL CHECK (meeting_load IN ('light', 'moderate', 'heavy')));
CREATE TABLE tools (
    id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL, tool_name text NOT NULL,
    usage_frequency text NOT NULL CHECK (usage_frequency IN ('daily', 'weekly', 'rarely')),
    satisfaction integer NOT NULL CHECK (satisfaction BETWEEN 1 AND 5));
CREATE TABLE channels (
    id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'phone', 'chat', 'in_person', 'portal')),
    preference text NOT NULL CHECK (preference IN ('primary', 'secondary', 'avoid')),
    weight numeric(4,2) NOT NULL CHECK (weight BETWEEN 0 AND 1));
CREATE TABLE quotes (
    id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL, quote text NOT NULL,
    source text NOT NULL CHECK (source IN ('interview', 'survey', 'field_visit')));
CREATE TABLE tags (id uuid NOT NULL, persona_id uuid NOT NULL, position integer NOT NULL, tag text NOT NULL);
