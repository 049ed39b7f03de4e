/* A key of each algorithm, and tokens signed with them. The private halves are gone: no other token can
 * verify. */
#ifndef FUZZ_JWT_SAMPLES_H
#define FUZZ_JWT_SAMPLES_H

#define SAMPLE_SECRET "a token secret of thirty-two byte"

static const char sample_jwks[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"alg\":\"RS256\",\"n\":\"n40rVU-1HhUpBN9H_"
    "qXMm3WQ2MzXUuaI2BWkvIf"
    "C1Y4LmJkRjn6oHs7lUFdGNFDLjlweXH-EXJcRcDXZ-ecOmh01qZKQ158LnY51za1qnxQDzz3YmwYwEr5TKQBv4BqvK"
    "LCaIg1eEXxXjrTFcEbvERCAIKezQ96jpC-68iYUAzPsZpE_VZ3kAOeIgxsPUoVnyyAzrFie7qpD-MliWXpORYyZeyg"
    "dbE8ITYv5e31mXcZgTkCFi_uEVV5kvDM7AHmpVGlnqA-UPDbFugG4tYBjb3Tl2RqeSkGfWX_AWorRSj5GZu80uvi8B"
    "ZIkcWytbGlobNSg5FAmJSsYMu42MUAdxQ\",\"e\":\"AQAB\"},{\"kty\":\"RSA\",\"kid\":\"p\",\"alg\":\"PS256\","
    "\"n\":\"q"
    "r-CUDVMXHSfqmOE4qGaXNkqeTNnjwxVB2fXx2MHr4J-czKhkP4ECgfenvJ1X-lCa00pMvPk_GOTV5oKoo3VrE39Jzu"
    "y-a8kdd0oInqoiSTNKTPMi-hr-ircC8K9Zpa2CSi_MJLtTMpgH4Voe2NsfleDYH-wxT5lSevIq-HboRLmMAVGicmr5"
    "KyWg1o6TUhlb9FOnffSLlsanrlG_JBv5taOfqTSjbZilFJakY8Q6r66VZ21ZIq6VN9hF9nBmM9wE3VqnGl92Q43ie0"
    "5q9oJOu2ZcxO-2oED7slZs3t-6Fa1092DW_KibxIc2C93YJKppSX9bRT8Y7t7EgiTU_meQQ\",\"e\":\"AQAB\"},{\"kty"
    "\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"0U0c0-wK4Y8r7zvtMmUtONDefD0-hzOMJxLUaeSlzA4\",\"y\":\"-"
    "PtW"
    "ep23nYwPFa6shPCNIXonO2DKu4cf53Me2AD-pro\"},{\"kty\":\"OKP\",\"kid\":\"d\",\"crv\":\"Ed25519\",\"x\":\"xACg"
    "esxHlKympV2YStM0yoP_ybmcXAdwhV6r3X-nVCQ\"}]}";

static const char *const sample_tokens[] = {
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczpyZWFkIG9yZGVyc"
    "zp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.V4EAJSi4BX5oAUYuj6to0SQ9WXX21QHhi--qcl6DGaU",
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczp"
    "yZWFkIG9yZGVyczp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.M5X2Ue43nJVku4u097nldJ-adGOARrw8CjwXPfG7o"
    "FZbN5WRqskR-GUNsac4N2eJj092a36jRQskyGxrtkPrraZlw5UM7cCV1BJ_eBqW80du_uiLtF5cSRjdXeQw_CNY-6o"
    "S809ySjUpgU5F3uvNuJ8CqP3-q-ueIvxUv3A_txZonUSRdfZU-3ooq-q1zwaF5-dVcA8_J1OMqa70h3vytcztTebKm"
    "TbmkDQd1vVlBuC1_VSFimrVD3RlagJeqfyahK4O3TNqxN7g4dqQjFlL5m9SYp9-gta57z_CCjhJGsp3tQv56v_BaFo"
    "nXglqwrAmYq_nCBX0lwG7SXASzqGRPg",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczpyZWFkIG9yZGVyc"
    "zp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.gfEU8XVPEU25xx_GrinbyzSMsqwmhRlO855Sa69jkuGoAlueFjBnKuY"
    "dXoev3NAHJ9ryChg26H2VGnq7dN-zPoInih5gvTahmKpIc_bK_I7ttLeCDFTVpkohY0WSgTcfSKbDy1VymeYw0z0G2"
    "JmI7WdPFitywTrdqPj4kG-DuYCysKZTTrYiQhaTEjOqGdUJo1Sq5TjZ0AhdGhLOxdgX_XpX5kDilDKOAJnX0B6VfxC"
    "lIsxoA3a-rsh0SKx31yPxsZx8eVhuLFzMyZoVID39UxbNpOzs7gkMeF-QxnIzZ3d7qYmqpowQ6VRVsdKEVXZ_eoXWy"
    "TgA-Oqei4EjHRmCYA",
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InAiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczp"
    "yZWFkIG9yZGVyczp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.JOg3Yozi07nuVGZFhqKkJ5m4L_AJUBXq5ucyS1Ggs"
    "MBcr-6fx38_oUJr3YnL3d8iDJT8E46TI_-UMSNdxI5wJYiWVTXdu1_pySG7KKP4cEpr0IpeF-GFN7gUmhMVx4P6M4-"
    "C9SoW7HDDr9LwocWjMrmTE4BPzEvjIC3cdI21sKtFWu5HkigLBqqRcFi8oWGYtM5OXDbQNvpYBk2dxDWSIYq8pZuoD"
    "S4kY2UL2IFU9781-vN2q9wvg4kQnbtIbr4vrcD1cpRdtDKgyxeOcpVafBA2XYgYv8bk4tnrd2TY8oDPrcVuedzVTgO"
    "iZtnaTHugHyNMEilrkdd-hlAD9Q03cw",
    "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczpyZWFkIG9yZGVyc"
    "zp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.JLCoCeYAZRj-SXQpqE4PG3kyJF1uBFYxOYFqPUzSYbuxWXWKDpwzKyl"
    "3tbkAHORsJtVAcYt4_UPjR-bJnuZjF4JoAiuMkkPlgMi4QvGP8yX4_4XKkqKEBrGXGBFintn2LY0iihbdF1oWj0FQs"
    "OyoPdvO93arGKibPLdVO4W6eZd-pFRjZm3IVyFXW0Dm0ASMW15l5W4gmDuZJI4KLbne7ubnU_N8DLMTVAju2Xt07Zq"
    "J4bzIzD3BUuY5h0MWFezgcGBKAj2ULmd8nRfy7f0td9lmETjO9nULea2EhYR1jChhoWbt1O66_A8MUn4Dd3OHzQKp5"
    "zOIEKU3tfHlQswzZA",
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczp"
    "yZWFkIG9yZGVyczp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.bqArcLuQmgZFdcFilQ3f-sSE98VrOWOdH4yYU0R7E"
    "LPF6CG78jVWDqDJ-sL9EHYGuaqaidf3L0ZmRNYp6suC5A",
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczpyZWFkIG9yZGVyc"
    "zp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.qOChYrkuj8pF-3kO95j8OOw5JtAiTf95QK3_bnmfwrieyuyDqez5WZi"
    "OUetZoxhjw42WpKPbpaD3viAAwyblhQ",
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImQiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczp"
    "yZWFkIG9yZGVyczp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.iaqenqHDuvcwK7My4IVL-fePkZ2Ay0pJmGnzqQgSP"
    "bkP_icoTTqbqf07afySJL84kUUDIdVaUGCUqzdKVN96AA",
    "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJzY29wZSI6Im9yZGVyczpyZWFkIG9yZGVyc"
    "zp3cml0ZSIsImV4cCI6NDEwMjQ0NDgwMH0.Zavc9iecN5NArHfwwNZcmOTcvrdJer6KXEuxRTuEh4AqVgzJD0mRqXn"
    "aicuXsEbohIUkc8UBzhqOloIX_ZGHAA"};

#endif
