//! The same computation in plain loops and double precision.

use super::model::{HEADS, HIDDEN, LAYERS, Made};

type Rows = Vec<Vec<f64>>;

/// The vector of a text, by its first token or by the mean of all.
pub(crate) fn vector(made: &Made, text: &str, first: bool) -> Vec<f64> {
    let rows = encoded(made, &made.tokens(text));
    let pooled: Vec<f64> = match first {
        true => rows[0].clone(),
        false => {
            (0..HIDDEN).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64).collect()
        }
    };
    let length = pooled.iter().map(|number| number * number).sum::<f64>().sqrt();
    pooled.iter().map(|number| number / length).collect()
}

fn encoded(made: &Made, tokens: &[usize]) -> Rows {
    let table = |name: &str, row: usize| {
        let numbers = get(made, &format!("embeddings.{name}_embeddings.weight"));
        numbers[row * HIDDEN..(row + 1) * HIDDEN].to_vec()
    };
    let embedded = tokens.iter().enumerate().map(|(place, token)| {
        let (word, position) = (table("word", *token), table("position", place + made.first_position));
        let sum = add(&add(&word, &position), &table("token_type", 0));
        norm(&sum, &get(made, "embeddings.LayerNorm.gamma"), &get(made, "embeddings.LayerNorm.beta"))
    });
    let mut rows: Rows = embedded.collect();
    for layer in 0..LAYERS {
        rows = through(made, &format!("encoder.layer.{layer}"), &rows);
    }
    rows
}

fn through(made: &Made, layer: &str, rows: &Rows) -> Rows {
    let linear = |name: &str, row: &[f64]| {
        let weight = get(made, &format!("{layer}.{name}.weight"));
        let bias = get(made, &format!("{layer}.{name}.bias"));
        let dot = |i: usize| row.iter().zip(&weight[i * row.len()..]).map(|(a, b)| a * b).sum::<f64>();
        bias.iter().enumerate().map(|(i, bias)| dot(i) + bias).collect::<Vec<f64>>()
    };
    let normed = |name: &str, row: &[f64]| {
        norm(row, &get(made, &format!("{layer}.{name}.weight")), &get(made, &format!("{layer}.{name}.bias")))
    };
    let all = |name: &str| rows.iter().map(|row| linear(name, row)).collect::<Rows>();
    let (queries, keys, values) =
        (all("attention.self.query"), all("attention.self.key"), all("attention.self.value"));
    let size = HIDDEN / HEADS;
    let attended = |query: &[f64]| {
        let mut mixed = vec![0.0; HIDDEN];
        for head in 0..HEADS {
            let own = head * size..(head + 1) * size;
            let score =
                |key: &Vec<f64>| own.clone().map(|i| query[i] * key[i]).sum::<f64>() / (size as f64).sqrt();
            let shares: Vec<f64> = keys.iter().map(|key| score(key).exp()).collect();
            let whole: f64 = shares.iter().sum();
            for (value, share) in values.iter().zip(&shares) {
                own.clone().for_each(|i| mixed[i] += value[i] * share / whole);
            }
        }
        mixed
    };
    let out = rows.iter().zip(&queries).map(|(row, query)| {
        let dense = linear("attention.output.dense", &attended(query));
        let row = normed("attention.output.LayerNorm", &add(&dense, row));
        let wide: Vec<f64> =
            linear("intermediate.dense", &row).iter().map(|x| active(&made.activation, *x)).collect();
        normed("output.LayerNorm", &add(&linear("output.dense", &wide), &row))
    });
    out.collect()
}

fn active(name: &str, x: f64) -> f64 {
    match name {
        "relu" => x.max(0.0),
        "gelu" => x * 0.5 * (1.0 + error_function(x / 2.0_f64.sqrt())),
        _ => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()),
    }
}

/// By its series, which converges everywhere.
fn error_function(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        let n = f64::from(n);
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn norm(row: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
    let scaled = row.iter().map(|x| (x - mean) / (variance + 1e-12).sqrt());
    scaled.zip(weight.iter().zip(bias)).map(|(x, (weight, bias))| x * weight + bias).collect()
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn get(made: &Made, name: &str) -> Vec<f64> {
    made.weights[name].1.iter().map(|number| f64::from(*number)).collect()
}
