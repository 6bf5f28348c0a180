//! A program with plugins of its own: it lends them one function, and calls one export of theirs.
//!
//! The plugin is in C (`embed.c`); any language with an Extism PDK would do.
//!
//! ```text
//! clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry host/events/examples/embed.c -o embed.wasm
//! cargo run -p host-events --example embed -- embed.wasm bread
//! ```

use host_events::extism::{Function, Val};
use host_events::{Pool, guest};
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

/// `shop.price(item) -> cents`. An error ends the call of the plugin, with this text.
fn price(prices: HashMap<&'static str, i64>) -> Function {
    let function = guest::function("price", 1, 1, move |plugin, arguments| {
        let item = guest::text(plugin, guest::integer(arguments, 0)?)?;
        let price = prices.get(&*item);
        let unknown = || host_events::extism::Error::msg(format!("there is no {item:?}"));
        Ok(Some(Val::I64(*price.ok_or_else(unknown)?)))
    });
    function.with_namespace("shop")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [path, item] = &arguments[..] else { return Err("usage: embed FILE.wasm ITEM".into()) };
    let pool = Pool::builder("shop", std::fs::read(path)?)
        .functions([price(HashMap::from([("bread", 250), ("salt", 90)]))])
        .timeout(Duration::from_secs(2))
        .concurrency(4)
        .memory(16 << 20)
        .build()
        .await?;
    let cents: String = pool.call("three", item).await?;
    println!("three of {item}: {cents} cents");
    Ok(())
}
