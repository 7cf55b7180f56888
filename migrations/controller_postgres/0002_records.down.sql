-- Triggers go with their tables.
DROP TABLE curlew_controller.target_record;
DROP TABLE curlew_controller.notification;
DROP TABLE curlew_controller.audit;
DROP FUNCTION curlew_controller.refuse_change();
