-- Who has a token has to show a certificate again.
DROP TABLE curlew_controller.token;
