-- Run once by the database's image, with psql, on an empty volume: a role for every service, and no rights beyond its own.
-- MLflow's tables, its accounts, and journal with Optuna's studies are three databases.
\getenv searcher SEARCHER_PGPASSWORD
\getenv mlflow MLFLOW_PGPASSWORD
\getenv dashboard DASHBOARD_PGPASSWORD
CREATE ROLE searcher LOGIN PASSWORD :'searcher';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE dashboard LOGIN PASSWORD :'dashboard';
CREATE DATABASE studies OWNER searcher;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE mlflow_auth OWNER mlflow;
REVOKE CONNECT ON DATABASE studies FROM PUBLIC;
REVOKE CONNECT ON DATABASE mlflow FROM PUBLIC;
REVOKE CONNECT ON DATABASE mlflow_auth FROM PUBLIC;
GRANT CONNECT ON DATABASE studies TO dashboard;
\connect studies
ALTER DEFAULT PRIVILEGES FOR ROLE searcher GRANT SELECT ON TABLES TO dashboard;
