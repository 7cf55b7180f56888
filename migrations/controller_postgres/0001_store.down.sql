DROP TABLE curlew_controller.leader;
DROP TABLE curlew_controller.compiled_plan;
DROP TABLE curlew_controller.outbox;
DROP TABLE curlew_controller.event;
DROP TABLE curlew_controller.rollout;
DROP TABLE curlew_controller.environment;
DROP TABLE curlew_controller.plan;
