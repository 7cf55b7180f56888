CREATE STATISTICS activities_kind_contact ON kind, contact_id FROM activities;
