/* What customers send: small orders made up, and real ones from the invoices of a shop. */
#include "retail/retail.h"
#include "simulator/world.h"

static const char address[] =
    "\"ship_to\":{\"name\":\"A. Hart\",\"line1\":\"1 High St\",\"city\":\"Leeds\",\"country\":\"GB\"}";

struct bytes order_body(struct world *world, bool wholesale, struct bytes payment, struct bytes purchase_order,
                        int variant, struct arena *arena) {
  size_t sku = sim_below(&world->sim, SKUS);
  int64_t quantity = 1 + (int64_t)sim_below(&world->sim, 9), price = 100 + (int64_t)sku * 50;
  struct text text;
  text_init(&text, arena);
  text_printf(&text, "{\"channel\":\"%s\",\"currency\":\"GBP\",", wholesale ? "wholesale" : "retail");
  if (payment.size) text_printf(&text, "\"payment\":{\"reference\":\"%.*s\"},", BYTES_PRINTF(payment));
  if (purchase_order.size) text_printf(&text, "\"purchase_order\":\"%.*s\",", BYTES_PRINTF(purchase_order));
  if (wholesale && !payment.size) text_printf(&text, "\"terms_days\":30,");
  text_printf(&text, "\"lines\":[{\"sku\":\"S%zu\",\"quantity\":%lld,\"unit_price\":%lld}],", sku,
              (long long)quantity, (long long)price);
  text_printf(&text, "\"shipping\":%d,\"total\":%lld,%s}", variant, (long long)(price * quantity + variant),
              address);
  return text_view(&text);
}

struct bytes order_body_real(struct world *world, struct bytes payment, struct bytes purchase_order,
                             struct arena *arena) {
  const struct retail *invoices = world->options.invoices;
  const struct retail_invoice *invoice;
  struct text text;
  do {
    invoice = &invoices->invoices[sim_below(&world->sim, invoices->invoice_count)];
  } while (invoice->cancels);
  const struct retail_order order = {
      .payment = payment,
      .purchase_order = invoice->wholesale ? purchase_order : (struct bytes){NULL, 0},
      .coupon = sim_below(&world->sim, 2) == 0};
  text_init(&text, arena);
  retail_order_write(invoices, invoice, &order, &text);
  return text_view(&text);
}
