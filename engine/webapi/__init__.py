"""The protocol of IBKR's Web API, client side: codecs, endpoints, pacing, session, authentication, REST, websocket."""
