CREATE TABLE industries (id uuid PRIMARY KEY, code text NOT NULL UNIQUE);
CREATE TABLE org_roles (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE dh_personas (id uuid PRIMARY KEY, unique_id text, name text, description text, seniority_level text, decision_authority text, persona_type text, responsibilities jsonb, pain_points jsonb, goals jsonb, industry_id uuid, primary_role_id uuid, pharma_id text, digital_health_id text, biotech_id text, tenant_id uuid, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, attr_00 text, attr_01 text, attr_02 text, attr_03 text, attr_04 text, attr_05 text, attr_06 text, attr_07 text, attr_08 text, attr_09 text, attr_10 text, attr_11 text, attr_12 text, attr_13 text, attr_14 text, attr_15 text, attr_16 text, attr_17 text, attr_18 text, attr_19 text, attr_20 text, attr_21 text, attr_22 text, attr_23 text, attr_24 text, attr_25 text, attr_26 text, attr_27 text, attr_28 text, attr_29 text, attr_30 text, attr_31 text, attr_32 text, attr_33 text, attr_34 text, attr_35 text, attr_36 text, attr_37 text, attr_38 text, attr_39 text);
CREATE TABLE org_personas (id uuid PRIMARY KEY, unique_id text, name text, description text, seniority_level text, department_id integer, industry_id uuid, primary_role_id uuid, goals jsonb, created_at timestamptz, updated_at timestamptz);
COPY industries (id, code) FROM stdin;
cbd43f99-045c-56f0-a65f-f70c1652c981	pharma
603a56d4-f670-540a-b696-cb55ea3b7d29	digital_health
33fe8e87-c3cd-5551-98e3-b72a9a2d084b	biotech
c1f8ac6e-4579-50e4-9221-c9380f0d0535	payer
35887273-b20b-5165-adec-93b47ceae5be	provider
\.
COPY org_roles (id, name) FROM stdin;
115d7ca6-63cb-5b03-8b7d-0372436c25db	Role 0
1f62d1c0-3f46-5d85-900d-d345faa06eca	Role 1
15de56be-a25d-5534-88ac-19344cee9d4f	Role 2
2f4c3e26-3301-5314-959a-088670b01082	Role 3
ebb0d5f0-ef04-50da-9c0a-6136bc854a9a	Role 4
bc07190b-38ca-5452-b3f0-837d3112b926	Role 5
d9eb5f61-694e-58eb-b875-60e864537c21	Role 6
23092d09-af94-594a-b050-d3791f1e8f61	Role 7
aba17218-1a00-5429-a6c9-59ff0e7134a2	Role 8
670d389c-fedc-506c-9be9-e75ce918c297	Role 9
ecc6720c-6ec1-5d07-a52f-16a9e386bd15	Role 10
e3be459a-07a4-5670-ae3e-9d410468dfa5	Role 11
3275ed72-719b-5a37-91bf-0c92f3eaebae	Role 12
d0d78635-b367-5fa3-aa88-8d9bc9683390	Role 13
498059ec-1aab-5d98-a658-55f50e0b7f81	Role 14
e4581b5a-b898-51c9-950c-db0d3b922595	Role 15
837d36d4-0d90-5c16-8be9-a4d317d2de54	Role 16
5e26f00d-6dca-5f75-a363-bdfd300a51c6	Role 17
c2fb4aaa-4cae-5567-9892-49134242f4f7	Role 18
c0bd3ea4-b6cb-5545-80cb-484214cb39de	Role 19
e5fa3e0e-10aa-5657-bf3e-f1fbccda6407	Role 20
d6ba60a5-d3ff-5830-9e70-59aa8c2f90b4	Role 21
89b700cb-0b2b-5cd8-9fd6-3e486d9da9f1	Role 22
5b6af6e8-6ee9-55bb-9a97-2f97808c0d1c	Role 23
55223a91-ee9e-5c89-aeb1-88d75ad24897	Role 24
f5892758-6d2f-5eec-8413-5198ae590aa2	Role 25
5809b5a4-e2c6-5954-a2de-2b583a8ee030	Role 26
ef81ea38-2510-53f4-a2de-bcdb969bd879	Role 27
4a898247-bbb6-55ee-ab2d-635690074b0a	Role 28
39c39553-60db-52a1-99f7-6eb215a37eca	Role 29
aaa524ff-b21c-555c-a7b1-a42b0d0b8689	Role 30
31663804-c9dc-5777-9f01-e049b37850da	Role 31
fb7a4214-0bd7-508e-bdfe-10b102f527cd	Role 32
ab020c50-e4d4-5623-b3e2-2dae0fc54241	Role 33
d33c2dd3-4c96-5500-b096-78ee830f7585	Role 34
5a13c3d8-3b60-5a03-a093-3aa9c24aad28	Role 35
116b8a89-7430-54b1-a204-636d1278e70b	Role 36
ecd0aca3-08fe-5ce5-9730-999c450a6d9d	Role 37
d5f93e5b-8ad9-5557-884d-a431fde04ba9	Role 38
8cd1fbaa-09e7-5172-a934-e2568d7966ca	Role 39
\.
COPY dh_personas (id, unique_id, name, description, seniority_level, decision_authority, persona_type, responsibilities, pain_points, goals, industry_id, primary_role_id, pharma_id, digital_health_id, biotech_id, tenant_id, created_at, updated_at, deleted_at, attr_00, attr_01, attr_02, attr_03, attr_04, attr_05, attr_06, attr_07, attr_08, attr_09, attr_10, attr_11, attr_12, attr_13, attr_14, attr_15, attr_16, attr_17, attr_18, attr_19, attr_20, attr_21, attr_22, attr_23, attr_24, attr_25, attr_26, attr_27, attr_28, attr_29, attr_30, attr_31, attr_32, attr_33, attr_34, attr_35, attr_36, attr_37, attr_38, attr_39) FROM stdin;
ba50d460-b29a-5bde-abfe-43c2732b8973	PER-00000	Fatima Rodriguez	\N	junior	high	commercial	["Budget publication patient", "Publication review alignment"]	["Medical regulatory training", "Stakeholder stakeholder timeline", "Publication evidence timeline", "Congress insight trials"]	\N	cbd43f99-045c-56f0-a65f-f70c1652c981	e4581b5a-b898-51c9-950c-db0d3b922595	\N	DH-0	\N	00000000-0000-4000-8000-000000000001	2025-01-01 00:00:00+00	2025-01-01 07:00:00+00	\N	\N	Plan digital	Alignment publication	\N	\N	Stakeholder planning	Compliance regulatory	\N	Regulatory strategy	\N	Publication evidence	\N	Congress congress	Evidence congress	Stakeholder channel	\N	Regulatory roadmap	Outcome quality	Data roadmap	Field plan	\N	Review plan	Concurrent trials	Medical data	\N	Review stakeholder	\N	Stakeholder congress	\N	\N	Alignment concurrent	Trials congress	Patient trials	Trials managing	Evidence strategy	Concurrent channel	\N	Strategy review	\N	Review compliance
421d179f-7cac-5900-af3a-0a3d2caf635e	PER-00001	Łukasz Chen	Planning publication evidence regulatory evidence access	executive	\N	commercial	["Outcome publication channel", "Trials patient budget", "Trials patient data", "Compliance access managing"]	["Timeline insight access"]	["Compliance stakeholder plan", "Access medical access", "Congress planning digital", "Training publication quality"]	33fe8e87-c3cd-5551-98e3-b72a9a2d084b	116b8a89-7430-54b1-a204-636d1278e70b	PH-1	DH-1	\N	00000000-0000-4000-8000-000000000001	2025-01-01 07:00:00+00	2025-01-01 14:00:00+00	\N	Digital congress	Trials field	\N	Alignment data	Congress managing	Concurrent regulatory	Publication data	\N	\N	\N	Training field	\N	\N	\N	\N	Congress roadmap	\N	Training plan	\N	Strategy timeline	\N	Congress congress	\N	Evidence data	\N	\N	Field data	\N	\N	\N	Publication quality	\N	\N	Channel alignment	Planning evidence	Patient outcome	Data quality	\N	Field concurrent	\N
60374889-840c-5d37-9435-6a6c80ae1be1	PER-00002	Esi Okafor	Access strategy review compliance concurrent stakeholder	senior	high	clinical	["Publication budget patient", "Medical access budget"]	["Review review training", "Trials field alignment", "Managing strategy roadmap", "Alignment alignment roadmap"]	["Managing planning managing"]	603a56d4-f670-540a-b696-cb55ea3b7d29	fb7a4214-0bd7-508e-bdfe-10b102f527cd	PH-2	\N	\N	00000000-0000-4000-8000-000000000001	2025-01-01 14:00:00+00	2025-01-01 21:00:00+00	\N	Trials compliance	\N	Regulatory roadmap	\N	Timeline evidence	Plan training	Regulatory publication	Quality evidence	Outcome strategy	\N	\N	Compliance evidence	\N	\N	\N	Outcome trials	Data insight	\N	Congress timeline	Training training	Access outcome	\N	\N	\N	\N	Trials digital	\N	\N	\N	\N	\N	Concurrent strategy	Managing digital	\N	Trials data	\N	\N	Concurrent plan	Insight plan	\N
94ed5be3-eedf-52d0-bac6-2df9e13155d7	PER-00003	Ingrid Tanaka	\N	senior	high	clinical	["Planning managing budget"]	["Compliance timeline quality"]	["Regulatory plan timeline", "Digital outcome insight"]	cbd43f99-045c-56f0-a65f-f70c1652c981	5b6af6e8-6ee9-55bb-9a97-2f97808c0d1c	\N	\N	BT-3	00000000-0000-4000-8000-000000000001	2025-01-01 21:00:00+00	2025-01-02 04:00:00+00	\N	\N	Strategy patient	Stakeholder trials	Plan compliance	\N	Data channel	\N	\N	\N	Outcome review	Budget data	Quality field	\N	Access digital	Budget compliance	Evidence insight	Digital roadmap	Alignment evidence	Publication congress	Roadmap training	Planning insight	Evidence channel	Regulatory roadmap	\N	\N	Access insight	\N	Regulatory publication	\N	\N	Regulatory evidence	\N	Insight alignment	\N	\N	Access congress	\N	\N	\N	\N
33fc986b-a6c1-504f-9093-3e2751b32c91	PER-00004	Sarah Nguyen	Digital congress publication review evidence publication	senior	low	commercial	["Outcome alignment channel", "Concurrent compliance compliance"]	["Regulatory publication concurrent"]	["Regulatory plan timeline"]	603a56d4-f670-540a-b696-cb55ea3b7d29	f5892758-6d2f-5eec-8413-5198ae590aa2	PH-4	\N	BT-4	00000000-0000-4000-8000-000000000001	2025-01-02 04:00:00+00	2025-01-02 11:00:00+00	\N	Planning quality	\N	\N	Trials field	Congress publication	Evidence quality	Trials patient	Regulatory planning	\N	\N	\N	Data compliance	Congress insight	Regulatory roadmap	Patient publication	\N	\N	Patient timeline	\N	Stakeholder medical	Regulatory regulatory	\N	Access regulatory	\N	\N	Planning regulatory	Stakeholder timeline	Review stakeholder	Stakeholder timeline	\N	\N	\N	Timeline roadmap	\N	\N	\N	Regulatory access	\N	Concurrent strategy	\N
bcc1ac9d-6fdb-5ee8-afde-60aa46b63274	PER-00005	Elena Novák	\N	senior	\N	clinical	["Compliance strategy planning", "Training stakeholder medical", "Budget outcome quality"]	["Trials regulatory quality", "Training trials digital"]	\N	33fe8e87-c3cd-5551-98e3-b72a9a2d084b	55223a91-ee9e-5c89-aeb1-88d75ad24897	\N	\N	\N	00000000-0000-4000-8000-000000000001	2025-01-02 11:00:00+00	2025-01-02 18:00:00+00	\N	\N	\N	Field digital	\N	Field planning	Patient roadmap	Stakeholder insight	Regulatory strategy	\N	\N	\N	Patient review	Evidence medical	\N	Congress stakeholder	Outcome field	\N	Digital budget	Concurrent access	Timeline evidence	Roadmap compliance	\N	Congress strategy	Publication evidence	\N	Timeline medical	\N	\N	\N	Trials access	Plan field	\N	\N	Regulatory insight	\N	\N	\N	Strategy access	Evidence timeline	Publication congress
b488d054-a97e-53f4-9a2f-aa062526a8cf	PER-00006	Amara Kowalski	\N	\N	high	clinical	["Plan insight trials", "Stakeholder planning alignment", "Regulatory timeline trials"]	["Channel field publication", "Timeline concurrent regulatory", "Alignment plan managing"]	["Planning congress publication", "Timeline timeline quality", "Planning stakeholder planning"]	cbd43f99-045c-56f0-a65f-f70c1652c981	4a898247-bbb6-55ee-ab2d-635690074b0a	\N	DH-6	\N	00000000-0000-4000-8000-000000000001	2025-01-02 18:00:00+00	2025-01-03 01:00:00+00	\N	Evidence insight	Digital concurrent	\N	\N	Compliance regulatory	\N	\N	\N	Alignment stakeholder	\N	Data regulatory	\N	Regulatory compliance	Publication review	Alignment access	\N	Strategy alignment	\N	Trials digital	Access alignment	\N	\N	\N	\N	\N	\N	\N	Access concurrent	Data managing	Congress roadmap	\N	Regulatory field	Regulatory alignment	\N	\N	Outcome channel	\N	Training field	\N	\N
a420379b-0378-5f06-9e34-2c4e00f365b1	PER-00007	Łukasz Nguyen	\N	junior	low	clinical	["Publication compliance stakeholder", "Data timeline outcome"]	["Patient outcome data", "Review budget regulatory", "Channel publication review"]	["Trials compliance data", "Managing congress timeline", "Trials channel training", "Channel medical budget"]	33fe8e87-c3cd-5551-98e3-b72a9a2d084b	d0d78635-b367-5fa3-aa88-8d9bc9683390	\N	DH-7	BT-7	00000000-0000-4000-8000-000000000001	2025-01-03 01:00:00+00	2025-01-03 08:00:00+00	\N	\N	Field quality	\N	\N	\N	Stakeholder trials	\N	Alignment planning	\N	Concurrent outcome	\N	Congress access	\N	\N	\N	Medical patient	Data strategy	Managing medical	\N	Publication digital	\N	Data channel	\N	\N	Review field	Access timeline	Data channel	\N	Congress channel	Channel quality	\N	Compliance alignment	Access concurrent	Publication outcome	\N	\N	\N	Budget timeline	\N	\N
497025d1-1ebf-58d6-b7e4-bb1777287652	PER-00008	Fatima Nguyen	Access medical compliance training quality evidence	executive	high	clinical	["Budget data review", "Regulatory alignment data", "Medical managing training"]	["Concurrent planning publication", "Patient budget strategy", "Medical insight access"]	\N	603a56d4-f670-540a-b696-cb55ea3b7d29	5b6af6e8-6ee9-55bb-9a97-2f97808c0d1c	\N	DH-8	BT-8	00000000-0000-4000-8000-000000000001	2025-01-03 08:00:00+00	2025-01-03 15:00:00+00	\N	\N	\N	\N	Budget regulatory	Regulatory strategy	Quality training	Regulatory field	\N	Patient patient	Training managing	Budget patient	\N	Timeline quality	\N	\N	Digital field	\N	Timeline insight	Training outcome	Access budget	Concurrent medical	\N	Alignment strategy	Access regulatory	Evidence concurrent	Outcome stakeholder	Digital roadmap	\N	\N	\N	Regulatory review	\N	Plan managing	\N	Training access	Managing regulatory	Compliance compliance	\N	\N	\N
\.
COPY org_personas (id, unique_id, name, description, seniority_level, department_id, industry_id, primary_role_id, goals, created_at, updated_at) FROM stdin;
fba66ed0-b89b-5d7e-bc57-699615f97271	PER-00004	José Okafor	Regulatory congress data alignment training	senior	0	c1f8ac6e-4579-50e4-9221-c9380f0d0535	ecc6720c-6ec1-5d07-a52f-16a9e386bd15	["Review alignment review", "Concurrent field planning", "Plan quality stakeholder"]	2025-01-01 00:00:00+00	2025-01-01 00:00:00+00
e59b34cd-49ed-57d9-8d44-86ceb093ae71	PER-00002	Elena Kowalski	Data trials training publication medical	senior	1	33fe8e87-c3cd-5551-98e3-b72a9a2d084b	e5fa3e0e-10aa-5657-bf3e-f1fbccda6407	["Regulatory training regulatory", "Medical plan publication", "Planning channel plan"]	2025-01-01 07:00:00+00	2025-01-01 07:00:00+00
39186767-e25c-5e1b-84f1-2fc31d39651e	PER-00003	Chloé García-López	Channel data quality congress stakeholder	mid	2	35887273-b20b-5165-adec-93b47ceae5be	23092d09-af94-594a-b050-d3791f1e8f61	["Concurrent regulatory review"]	2025-01-01 14:00:00+00	2025-01-01 14:00:00+00
9a2ecf78-b81a-5209-a2cd-5e61dbfa5bfb	ORG-00003	Zoë Silva	Alignment regulatory outcome stakeholder plan	mid	3	33fe8e87-c3cd-5551-98e3-b72a9a2d084b	5a13c3d8-3b60-5a03-a093-3aa9c24aad28	["Congress publication evidence", "Strategy congress training"]	2025-01-01 21:00:00+00	2025-01-01 21:00:00+00
d7afd934-32f5-5720-9917-b146635dfeed	ORG-00004	José Chen	Publication plan regulatory trials budget	mid	4	603a56d4-f670-540a-b696-cb55ea3b7d29	f5892758-6d2f-5eec-8413-5198ae590aa2	["Patient congress data"]	2025-01-02 04:00:00+00	2025-01-02 04:00:00+00
\.
