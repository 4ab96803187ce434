DROP TABLE %schema%.audit_log;
DROP FUNCTION %schema%.refuse_to_change_audit_log();
