DROP TABLE compiled_plan;
DROP TABLE outbox;
DROP TABLE event;
DROP TABLE rollout;
DROP TABLE environment;
DROP TABLE plan;
