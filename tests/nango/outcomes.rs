//! The right errors of the recorded answers, by file and step: kind, status, code, message, and
//! what the client makes of it.

/// `recording /where/in/it = outcome`
pub const ERRORS: &str = r#"
01-auth-errors /steps/0 = unauthorized missing_auth_header
01-auth-errors /steps/1 = unauthorized invalid_secret_key_format
01-auth-errors /steps/2 = unauthorized invalid_secret_key_format
01-auth-errors /steps/3 = unauthorized invalid_secret_key_format
01-auth-errors /steps/4 = unauthorized unknown_account
01-auth-errors /steps/5 = unauthorized unknown_account
01-auth-errors /steps/6 = unauthorized unknown_connect_session_token
01-auth-errors /steps/7 = unauthorized invalid_secret_key_format
07-connect-sessions-ok /steps/4 = forbidden forbidden: You are not allowed to override the docs connect url
08-connect-sessions-errors /steps/0 = 400 invalid_body: Invalid input: expected object, received undefined (end_user)
08-connect-sessions-errors /steps/1 = 400 invalid_body: Invalid input: expected object, received undefined
08-connect-sessions-errors /steps/10 = 400 invalid_query_params: Unrecognized key: "x"
08-connect-sessions-errors /steps/11 = 400 invalid_body: Invalid input (webhook_url_override)
08-connect-sessions-errors /steps/12 = 400 invalid_body: Webhook URLs cannot point to Nango's domain (nango.dev). (webhook_url_override)
08-connect-sessions-errors /steps/13 = 400 invalid_json: Unexpected end of JSON input
08-connect-sessions-errors /steps/14 = 400 invalid_body: Invalid input: expected object, received array
08-connect-sessions-errors /steps/15 = unauthorized unknown_account
08-connect-sessions-errors /steps/16 = 415 invalid_content_type: Content-Type header must be application/json
08-connect-sessions-errors /steps/2 = 400 invalid_body: Integration does not exist (allowed_integrations.0); Integration does not exist (allowed_integrations.2) [integration missing]
08-connect-sessions-errors /steps/3 = 400 invalid_body: Integration does not exist (integrations_config_defaults.nope) [integration missing]
08-connect-sessions-errors /steps/4 = 400 invalid_body: Integration does not exist (overrides.nope) [integration missing]
08-connect-sessions-errors /steps/5 = 400 invalid_body: Invalid input: expected array, received string (allowed_integrations)
08-connect-sessions-errors /steps/6 = 400 invalid_body: Unrecognized key: "unknown_field"
08-connect-sessions-errors /steps/7 = 400 invalid_body: Too small: expected string to have >=1 characters (end_user.id)
08-connect-sessions-errors /steps/8 = 400 invalid_body: Invalid email address (end_user.email)
08-connect-sessions-errors /steps/9 = 400 invalid_body: Invalid input: expected string, received undefined (end_user.id)
09-connect-sessions-tag-rules /steps/1 = 400 invalid_body: Tags cannot contain more than 10 keys (tags) [tag rule]
09-connect-sessions-tag-rules /steps/10 = 400 invalid_body: Too small: expected string to have >=1 characters (tags.k) [tag rule]
09-connect-sessions-tag-rules /steps/11 = 400 invalid_body: Invalid input: expected string, received number (tags.k) [tag rule]
09-connect-sessions-tag-rules /steps/12 = 400 invalid_body: Invalid input: expected string, received boolean (tags.k) [tag rule]
09-connect-sessions-tag-rules /steps/13 = 400 invalid_body: Invalid input: expected string, received null (tags.k) [tag rule]
09-connect-sessions-tag-rules /steps/14 = 400 invalid_body: Invalid input: expected string, received array (tags.k) [tag rule]
09-connect-sessions-tag-rules /steps/15 = 400 invalid_body: Duplicate tag key after case normalization: "key" (tags) [tag rule]
09-connect-sessions-tag-rules /steps/16 = 400 invalid_body: Tag "end_user_email" must be a valid email (tags) [tag rule]
09-connect-sessions-tag-rules /steps/17 = 400 invalid_body: Tag "end_user_email" must be a valid email (tags) [tag rule]
09-connect-sessions-tag-rules /steps/19 = 400 invalid_body: Invalid input: expected record, received array (tags) [tag rule]
09-connect-sessions-tag-rules /steps/20 = 400 invalid_body: Invalid input: expected record, received null (tags) [tag rule]
09-connect-sessions-tag-rules /steps/3 = 400 invalid_body: Tag values must be at most 255 characters (tags.k) [tag rule]
09-connect-sessions-tag-rules /steps/5 = 400 invalid_body: Invalid key in record (tags.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk) [tag rule]
09-connect-sessions-tag-rules /steps/6 = 400 invalid_body: Invalid key in record (tags.1abc) [tag rule]
09-connect-sessions-tag-rules /steps/7 = 400 invalid_body: Invalid key in record (tags.a b) [tag rule]
09-connect-sessions-tag-rules /steps/8 = 400 invalid_body: Invalid key in record (tags.a:b) [tag rule]
10-connect-session-get-delete /steps/10 = 401 unknown_connect_session_token: Authentication failed. The provided connect session token does not match any account.
10-connect-session-get-delete /steps/11 = 401 invalid_connect_session_token_format: Authentication failed. The provided connect session token is not following correct format: …)
10-connect-session-get-delete /steps/13 = 401 unknown_connect_session_token: Authentication failed. The provided connect session token does not match any account.
10-connect-session-get-delete /steps/6 = unauthorized invalid_secret_key_format
10-connect-session-get-delete /steps/8 = 401 missing_auth_header: Authentication failed. The request is missing the Authorization header.
10-connect-session-get-delete /steps/9 = 401 invalid_connect_session_token_format: Authentication failed. The provided connect session token is not following correct format: …)
20-oauth-connect-errors /steps/1 = 401 unknown_connect_session_token: Authentication failed. The provided connect session token does not match any account.
27-reconnect-errors /steps/0 = 400 invalid_body: Invalid input: expected string, received undefined (connection_id); Invalid input: expected string, received undefined (integration_id)
27-reconnect-errors /steps/1 = 400 invalid_body: ConnectionID or IntegrationId does not exists [connection gone]
27-reconnect-errors /steps/2 = 400 invalid_body: ConnectionID or IntegrationId does not exists [connection gone]
27-reconnect-errors /steps/3 = 400 invalid_body: ConnectionID or IntegrationId does not exists [connection gone]
27-reconnect-errors /steps/4 = 400 invalid_body: Unrecognized key: "allowed_integrations"
27-reconnect-errors /steps/5 = 400 invalid_body: Invalid key in record (tags.1) [tag rule]
28-api-key /steps/10 = 401 missing_public_key: 
28-api-key /steps/11 = 401 unknown_connect_session_token: 
28-api-key /steps/12 = 400 invalid_query_params: 
28-api-key /steps/2 = 400 connection_test_failed:  [credentials refused]
28-api-key /steps/3 = 400 invalid_body: 
28-api-key /steps/4 = 400 invalid_body: 
28-api-key /steps/5 = 400 invalid_body: 
28-api-key /steps/6 = 400 invalid_auth_mode: 
28-api-key /steps/7 = 400 invalid_auth_mode: 
28-api-key /steps/8 = 400 integration_not_allowed: 
28-api-key /steps/9 = 404 unknown_provider_config:  [integration missing]
29-api-key-reconnect /steps/1 = 400 connection_test_failed:  [credentials refused]
30-basic /steps/1 = 400 connection_test_failed:  [credentials refused]
30-basic /steps/5 = 400 connection_test_failed:  [credentials refused]
30-basic /steps/6 = 400 invalid_body: 
32-connections-list /steps/21 = 400 invalid_query_params: Too small: expected number to be >=1 (limit)
32-connections-list /steps/22 = 400 invalid_query_params: Too big: expected number to be <=2000 (limit)
32-connections-list /steps/23 = 400 invalid_query_params: Too small: expected number to be >=0 (page)
32-connections-list /steps/24 = 400 invalid_query_params: Unrecognized key: "bogus"
32-connections-list /steps/7 = 400 invalid_query_params: Invalid key in record (tags.1bad)
32-connections-list /steps/8 = 400 invalid_query_params: Too small: expected string to have >=1 characters (tags.k)
32-connections-list /steps/9 = 400 invalid_query_params: Invalid input: expected record, received string (tags)
33-connection-get /steps/10 = 400 invalid_uri_params: Invalid string: must match pattern /^[a-zA-Z0-9,.;:=+~[\]|@${}"'\\/_ -]+$/ (connectionId)
33-connection-get /steps/13 = 400 unknown_provider_config: Provider does not exists [integration missing]
33-connection-get /steps/4 = 400 invalid_query_params: Invalid input: expected string, received undefined (provider_config_key)
33-connection-get /steps/5 = 404 not_found: Failed to find connection
33-connection-get /steps/6 = 400 unknown_provider_config: Provider does not exists [integration missing]
33-connection-get /steps/7 = 404 not_found: Failed to find connection
33-connection-get /steps/8 = 400 invalid_query_params: Invalid option: expected one of "true"|"1"|"yes"|"on"|"y"|"enabled"|"false"|"0"|"no"|"off"|"n"|"disabled" (refresh_token)
33-connection-get /steps/9 = 400 invalid_query_params: Unrecognized key: "foo"
36-refresh-failed /steps/1 = 400 invalid_credentials: The external API returned an error when trying to refresh the access token. Please try again later. [credentials refused]
36-refresh-failed /steps/2 = 424 invalid_credentials: A recent refresh attempt failed. Backing off before retrying. [credentials refused]
36-refresh-failed /steps/5 = 424 invalid_credentials: A recent refresh attempt failed. Backing off before retrying. [credentials refused]
37-connection-delete /steps/1 = 400 invalid_query_params: Invalid input: expected string, received undefined (provider_config_key)
37-connection-delete /steps/5 = 404 not_found: Failed to find connection
37-connection-delete /steps/6 = 400 invalid_body: ConnectionID or IntegrationId does not exists [connection gone]
39-refresh-500-and-exhausted /steps/0 = 400 invalid_credentials: The external API returned an error when trying to refresh the access token. Please try again later. [credentials refused]
39-refresh-500-and-exhausted /steps/1 = 424 invalid_credentials: The refresh limit has been reached for this connection. [credentials refused]
39-refresh-500-and-exhausted /steps/2 = 400 invalid_credentials: The external API returned an error when trying to refresh the access token. Please try again later. [credentials refused]
42-outbound-policy-loopback /runs/0/flows/1 = 400 connection_test_failed:  [credentials refused]
42-outbound-policy-loopback /runs/0/webhookUrlOverride/0 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
42-outbound-policy-loopback /runs/0/webhookUrlOverride/1 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
42-outbound-policy-loopback /runs/0/webhookUrlOverride/2 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
42-outbound-policy-loopback /runs/0/webhookUrlOverride/3 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
42-outbound-policy-loopback /runs/0/webhookUrlOverride/4 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
42-outbound-policy-loopback /runs/0/webhookUrlOverride/7 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
42-outbound-policy-loopback /runs/1/flows/1 = 400 connection_test_failed:  [credentials refused]
42-outbound-policy-loopback /runs/1/webhookUrlOverride/0 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
42-outbound-policy-loopback /runs/1/webhookUrlOverride/7 = 400 invalid_body: This webhook URL is not allowed. (webhook_url_override)
45-rate-limit /steps/0 = rate limited Some(57)
45-rate-limit /steps/1 = rate limited Some(57)
45-rate-limit /steps/2 = rate limited Some(57)
45-rate-limit /steps/5 = unauthorized unknown_account
"#;
